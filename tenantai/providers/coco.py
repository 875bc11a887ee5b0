"""The classes of COCO, and which of them stand in a home: what a detector's numbers mean.

What must stay true: a thing's name says no more than the detector saw; which row it is, the figures say.
"""

CLASSES = (
    "person bicycle car motorcycle airplane bus train truck boat traffic_light fire_hydrant stop_sign parking_meter "
    "bench bird cat dog horse sheep cow elephant bear zebra giraffe backpack umbrella handbag tie suitcase frisbee "
    "skis snowboard sports_ball kite baseball_bat baseball_glove skateboard surfboard tennis_racket bottle "
    "wine_glass cup fork knife spoon bowl banana apple sandwich orange broccoli carrot hot_dog pizza donut cake "
    "chair couch potted_plant bed dining_table toilet tv laptop mouse remote keyboard cell_phone microwave oven "
    "toaster sink refrigerator book clock vase scissors teddy_bear hair_drier toothbrush"
).split()
"""The 80 that detectors are trained on, in their order."""

SKIPPED = frozenset({12, 26, 29, 30, 45, 66, 68, 69, 71, 83})
"""Of the numbers 1 to 90 in COCO's own files those that no class has."""

OF_COCO = tuple(number for number in range(1, 91) if number not in SKIPPED)
"""COCO's own number of each of the 80."""

THINGS: dict[str, str] = {
    "bicycle": "bicycle",
    "bench": "bench",
    "surfboard": "surfboard",
    "suitcase": "suitcase",
    "chair": "chair",
    "couch": "sofa",
    "potted_plant": "potted plant",
    "bed": "bed",
    "dining_table": "dining table",
    "tv": "tv",
    "laptop": "laptop",
    "microwave": "microwave",
    "oven": "stove",
    "toaster": "toaster",
    "refrigerator": "fridge",
    "toilet": "toilet",
    "sink": "sink",
    "clock": "clock",
    "vase": "vase",
}
"""What to call those that may have to be moved; the others are people, animals, traffic and what goes into boxes."""

BUILT_IN = frozenset({"toilet", "sink"})
FRAGILE = frozenset({"tv", "laptop", "clock", "vase"})


def class_of(number: int, *, count: int) -> str | None:
    """Return the class that a detector with so many numbers means by one; some keep COCO's own gaps (90, 91 or 92 of them)."""
    if count <= len(CLASSES):
        return CLASSES[number] if 0 <= number < len(CLASSES) else None
    return CLASSES[OF_COCO.index(number)] if number in OF_COCO else None
