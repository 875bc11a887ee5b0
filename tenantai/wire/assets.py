"""Shapes of the vault: its assets, and its password and sessions."""

from typing import Annotated, Literal

from pydantic import Field, SecretStr

from tenantai.wire.shapes import Asked, Body, Computed, Record

VAULT_SCOPES = ("file:read", "file:upload", "file:delete")
"""What a key needs for the vault, and a password grants there at most."""

PATH_PATTERN = r"^(?!\.{1,2}(/|$))[^/\\\x00-\x1f\x7f-\x9f]+(/(?!\.{1,2}(/|$))[^/\\\x00-\x1f\x7f-\x9f]+)*$"


class AssetsQuery(Asked):
    """GET /tenants/{tenantId}/assets: `prefix` is how the paths begin, such as a folder's with its `/`.

    With `delimiter` what lies directly there is told in the order of paths, and each folder there once.
    """

    prefix: Annotated[str, Field(max_length=1024)] = ""
    delimiter: Literal["/"] | None = None


class UploadQuery(Asked):
    """POST /tenants/{tenantId}/assets: `path` is where the file lies in the vault, its own name where it is left out."""

    path: Annotated[str, Field(max_length=1024, json_schema_extra={"minLength": 1, "pattern": PATH_PATTERN})] | None = None


class ContentQuery(Asked):
    """GET …/content: `version` is which one, the newest where it is left out."""

    version: Annotated[int, Field(ge=1, le=10**9)] | None = None


class AssetRecord(Record):
    """An asset as it is now."""

    id: str
    path: str
    name: str
    version: int
    media_type: str
    bytes: int
    sha256: str
    created_at: str
    updated_at: str


class AssetPage(Computed):
    """A page of assets; `folders` are the paths of folders, each with its `/`, where a `delimiter` was given."""

    assets: list[AssetRecord]
    folders: list[str]
    next_cursor: str | None


class AssetVersionRecord(Record):
    """A version of an asset's bytes."""

    version: int
    media_type: str
    bytes: int
    sha256: str
    created_at: str


class AssetWithVersions(AssetRecord):
    """An asset with all its versions, the newest first."""

    versions: list[AssetVersionRecord]


class AssetUploaded(Computed):
    """The asset that was uploaded, and whether its bytes are a new version."""

    asset: AssetRecord
    is_new: bool


class NewPassword(Body):
    """POST or PUT /tenants/{tenantId}/asset-auth/password."""

    new_password: SecretStr
    confirm_password: SecretStr


class PasswordSet(Computed):
    """When the password was set, and what it grants in the vault: what the key had that set it. Every session has ended."""

    tenant_id: str
    changed_at: str
    scopes: list[str]


class Login(Body):
    """POST /tenants/{tenantId}/asset-auth/login."""

    password: SecretStr = Field(max_length=1024)


class Session(Computed):
    """A session of the Asset Manager, and what it may do in the vault; its token is shown once."""

    session_token: str
    expires_at: str
    scopes: list[str]
