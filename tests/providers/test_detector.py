"""A detector on this machine: tiny ONNX models of both forms, whose findings depend on the picture that they are given."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tenantai.errors import ProviderFailed
from tenantai.estimating.items import Finding
from tenantai.estimating.sizing import item_of
from tenantai.figures.catalogue import items
from tenantai.providers.coco import BUILT_IN, CLASSES, THINGS, class_of
from tenantai.providers.detector import ANOTHER_FORM, DAMAGED, FAILED, NO_LIBRARY, Detector
from tenantai.providers.protocols import Sighting, VisionModel
from tests.pictures.making import encoded, gradient

COUCH, BED, PERSON = CLASSES.index("couch"), CLASSES.index("bed"), CLASSES.index("person")
WHITE = encoded(gradient(mode="L").point(lambda _: 255).convert("RGB"), "JPEG")
BLACK = encoded(gradient(mode="L").point(lambda _: 0).convert("RGB"), "JPEG")
GRADIENT = encoded(gradient(), "JPEG")


def constant(name: str, values: Any, kind: int) -> Any:
    array = np.array(values)
    return helper.make_tensor(name, kind, array.shape, array.flatten().tolist())


def saved(folder: Path, nodes: list[Any], inputs: list[Any], outputs: list[Any], constants: list[Any]) -> Path:
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    path = folder / "model.onnx"
    onnx.save(model, path)
    return path


def images(side: Any = 64) -> Any:
    return helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, side, side])


def labelled(folder: Path) -> Path:
    """The form of D-FINE's exporter: a couch as sure as the picture is bright, twice; a bed, a person; boxes in pixels."""
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Mul", ["sureness", "mean"], ["row"]),
        helper.make_node("Unsqueeze", ["row", "zero"], ["scores"]),
        helper.make_node("Cast", ["orig_target_sizes"], ["sizes"], to=TensorProto.FLOAT),
        helper.make_node("Concat", ["sizes", "sizes"], ["four"], axis=1),
        helper.make_node("Mul", ["parts", "four"], ["scaled"]),
        helper.make_node("Unsqueeze", ["scaled", "zero"], ["boxes"]),
        helper.make_node("Identity", ["numbers"], ["labels"]),
    ]
    constants = [
        constant("sureness", [0.9, 0.85, 0.7, 0.99], TensorProto.FLOAT),
        constant("zero", [0], TensorProto.INT64),
        constant("numbers", [[COUCH, COUCH, BED, PERSON]], TensorProto.INT64),
        constant("parts", [[0.1, 0.2, 0.5, 0.6], [0.1, 0.2, 0.5, 0.61], [0.6, 0.2, 1.2, 0.9], [0, 0, 1, 1]], TensorProto.FLOAT),
    ]
    sizes = helper.make_tensor_value_info("orig_target_sizes", TensorProto.INT64, [1, 2])
    outputs = [
        helper.make_tensor_value_info("labels", TensorProto.INT64, [1, 4]),
        helper.make_tensor_value_info("boxes", TensorProto.FLOAT, [1, 4, 4]),
        helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 4]),
    ]
    return saved(folder, nodes, [images(), sizes], outputs, constants)


def logits(folder: Path, *, count: int = 80, side: Any = "side") -> Path:
    """The form of the transformers library: a couch where the picture is bright."""
    number = COUCH if count == 80 else 63
    lows = [[-9.0] * count]
    ups = [[18.0 if at == number else 0.0 for at in range(count)]]
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Mul", ["ups", "mean"], ["raised"]),
        helper.make_node("Add", ["raised", "lows"], ["flat"]),
        helper.make_node("Unsqueeze", ["flat", "zero"], ["logits"]),
        helper.make_node("Identity", ["places"], ["pred_boxes"]),
    ]
    constants = [
        constant("lows", lows, TensorProto.FLOAT),
        constant("ups", ups, TensorProto.FLOAT),
        constant("zero", [0], TensorProto.INT64),
        constant("places", [[[0.5, 0.5, 0.2, 0.4]]], TensorProto.FLOAT),
    ]
    outputs = [
        helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 1, count]),
        helper.make_tensor_value_info("pred_boxes", TensorProto.FLOAT, [1, 1, 4]),
    ]
    return saved(folder, nodes, [images(side)], outputs, constants)


async def seen(file: Path, picture: bytes) -> list[Any]:
    detector = Detector(file, name="tiny")
    try:
        return [event async for event in detector.look(picture)]
    finally:
        await detector.close()


async def test_labelled_form(tmp_path: Path) -> None:
    """Things are told surest first, once for a place, within the picture; what is no thing to move is not."""
    found = await seen(labelled(tmp_path), WHITE)
    assert [(s.name, s.label, s.box) for s in found] == [
        ("sofa", "couch", (200, 100, 600, 500)),
        ("bed", "bed", (200, 600, 900, 1000)),
    ]
    assert found[0].confidence == pytest.approx(0.9, abs=0.01)


async def test_what_it_sees_decides(tmp_path: Path) -> None:
    """The picture really goes in, from 0 to 1: nothing is found in the dark, and less than enough in grey."""
    assert await seen(labelled(tmp_path), BLACK) == []
    assert [s.name for s in await seen(labelled(tmp_path), GRADIENT)] == ["sofa"]


@pytest.mark.parametrize("count", [80, 91, 92])
async def test_logits_form(tmp_path: Path, count: int) -> None:
    """Centres and sizes become corners, logits chances, and COCO's own numbers with their gaps are known."""
    (sofa,) = await seen(logits(tmp_path, count=count), WHITE)
    assert isinstance(sofa, Sighting)
    assert (sofa.label, sofa.box) == ("couch", (300, 400, 700, 600))
    assert await seen(logits(tmp_path, count=count), BLACK) == []


async def test_broken_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is not there, is damaged or of another form, and a library that is not there are each told."""
    path = tmp_path / "model.onnx"
    for make in (lambda: None, lambda: path.write_bytes(b"no model")):
        make()
        with pytest.raises(ProviderFailed) as caught:
            await seen(path, WHITE)
        assert caught.value.message == DAMAGED
    node = helper.make_node("Identity", ["images"], ["other"])
    saved(tmp_path, [node], [images()], [helper.make_tensor_value_info("other", TensorProto.FLOAT, [1, 3, 64, 64])], [])
    with pytest.raises(ProviderFailed) as caught:
        await seen(path, WHITE)
    assert caught.value.message == ANOTHER_FORM
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ProviderFailed) as caught:
        await seen(path, WHITE)
    assert caught.value.message == NO_LIBRARY


async def test_after_close(tmp_path: Path) -> None:
    """A closed detector says so, and one that is checked was loaded."""
    detector: VisionModel = Detector(labelled(tmp_path), name="tiny")
    await detector.check()
    await detector.close()
    with pytest.raises(ProviderFailed) as caught:
        await detector.check()
    assert caught.value.message == FAILED


def test_classes() -> None:
    """There are 80, whatever their numbers."""
    assert len(CLASSES) == 80
    assert [class_of(n, count=80) for n in (0, 57, 79, 80, -1)] == ["person", "couch", "toothbrush", None, None]
    assert [class_of(n, count=91) for n in (0, 1, 12, 63, 90)] == [None, "person", None, "couch", "toothbrush"]


@pytest.mark.parametrize("seen_class", sorted(set(THINGS) - BUILT_IN))
def test_classes_are_rows(seen_class: str) -> None:
    """Each class that may have to be moved is a row of the figures."""
    item = item_of(Finding(0, THINGS[seen_class], confidence=0.8), item_id="a")
    assert item.row_id in items()
    assert item.status == "counted"


def test_no_more_than_it_saw() -> None:
    """Where a class is not one row, the nearest is marked as such: a couch may have any number of seats."""
    marks = {name: "mapped-to-nearest" in item_of(Finding(0, name), item_id="a").notes for name in set(THINGS.values())}
    assert marks["sofa"]
    assert marks["bed"]
    assert not marks["dining table"]
    assert not marks["microwave"]
