"""Where a run comes from and what came of it: data, models, equations and registered versions."""

from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Literal

from mlflow import MlflowClient
from mlflow.entities import Run

from latentlaw.tracking.names import HOLDERS, TAG_MODEL_FAMILY, TAG_PARENT, TAG_STAGE
from latentlaw.tracking.reading.queries import is_run_id
from latentlaw.tracking.reading.search import quoted
from latentlaw.tracking.store.failures import reading, store_exists
from latentlaw.tracking.store.paging import experiment_names, newest_runs

Kind = Literal["data", "run", "version"]
# Parameters that name what a run was made from: runs by id, and files by path.
_BY_RUN = ("model", "run")
_BY_PATH = {
    "data": "particle stack",
    "tomograms": "tomograms",
    "affinity": "affinity prior",
    "source": "source",
}
_NO_PATH = ("", "None", "none", "auto", "demo")
_MOST_NODES = 40
_MOST_EACH = 10


@dataclass(frozen=True)
class Node:
    """What stands in a lineage.

    Attributes
    ----------
    key
        Its own among the nodes: a run's id, a path, or `NAME/VERSION`.
    title
        What it is: the kind of data, the stage of a run, a registered model.
    detail
        Which one: a path, a model family, a version.
    """

    key: str
    kind: Kind
    title: str
    detail: str
    status: str = ""


@dataclass
class Lineage:
    """Nodes by key, edges from what was used to what came of it; `cut` if there were more."""

    nodes: dict[str, Node] = field(default_factory=dict)
    edges: set[tuple[str, str]] = field(default_factory=set)
    cut: bool = False


def trace_lineage(tracking_uri: str, run_id: str) -> Lineage:
    """Follow a run up to its tomograms or images, and down to what was made of it.

    Runs are joined by the ids in their parameters `model` and `run`, data by their paths: of
    several runs that wrote to one path, the last before the reader. At most 40 nodes.

    Raises
    ------
    DataError
        When the store cannot be read.
    """
    if not is_run_id(run_id) or not store_exists(tracking_uri):
        return Lineage()
    with reading(tracking_uri):
        walk = _Walk(MlflowClient(tracking_uri=tracking_uri))
        run = walk.client.get_run(run_id)
        for start in walk.starts(run):
            walk.up(start)
            walk.down(start)
    return walk.found


class _Walk:
    def __init__(self, client: MlflowClient) -> None:
        self.client = client
        self.experiments = list(experiment_names(client))
        self.found = Lineage()

    def starts(self, run: Run) -> list[Run]:
        """Return where to begin: the steps of a run that holds others, what a run registered."""
        key = run.info.run_id
        if _stage(run) in HOLDERS:
            trial = f"tags.`{TAG_STAGE}` != 'trial' AND tags.`{TAG_STAGE}` != 'register'"
            return self._search(f"tags.`{TAG_PARENT}` = '{key}' AND {trial}", _MOST_EACH) or [run]
        registered = run.data.params.get("run", "")
        if _stage(run) == "register" and is_run_id(registered):
            return self._search(f"attributes.run_id = '{registered}'", 1)
        return [run]

    def up(self, run: Run) -> None:
        """Add a run and all that it was made from."""
        key = run.info.run_id
        if not self._add(_of_run(run)):
            return
        params = run.data.params
        for name in _BY_RUN:
            source = params.get(name, "").removeprefix("runs:/").split("/")[0]
            if is_run_id(source) and source != key:
                for made in self._search(f"attributes.run_id = '{source}'", 1):
                    self.up(made)
                    self.found.edges.add((source, key))
        for name, title in _BY_PATH.items():
            path = params.get(name, "")
            if path in _NO_PATH or path.isdigit():
                continue
            if name == "data" and is_run_id(params.get("model", "")):
                continue  # shown with the model
            known = path in self.found.nodes
            if self._add(Node(path, "data", title, path)) or known:
                self.found.edges.add((path, key))
            if not known:
                self._producer(path, run)

    def down(self, run: Run) -> None:
        """Add what was made of a run: two steps, and registered versions."""
        key, params = run.info.run_id, run.data.params
        for version in self.client.search_model_versions(
            f"run_id = '{key}'", max_results=_MOST_EACH
        ):
            name = f"{version.name}/{version.version}"
            # Those that a search returns lack their aliases.
            version = self.client.get_model_version(version.name, version.version)
            detail = ", ".join([f"version {version.version}", *version.aliases])
            self._add(Node(name, "version", version.name, detail))
            self.found.edges.add((key, name))
        for user in self._search(f"params.model = '{key}'", _MOST_EACH):
            if self._add(_of_run(user)):
                self.down(user)
            self.found.edges.add((key, user.info.run_id))
        if "out" in params and _stage(run) in ("extract", "collect"):
            path = params["out"]
            self._add(Node(path, "data", _BY_PATH["data"], path))
            self.found.edges.add((key, path))
            began = f"attributes.start_time >= {run.info.start_time}"
            query = f"params.data = {quoted(path)} AND tags.`{TAG_STAGE}` = 'train' AND {began}"
            for user in self._search(query, _MOST_EACH):
                self._add(_of_run(user))
                self.found.edges.add((path, user.info.run_id))

    def _producer(self, path: str, reader: Run) -> None:
        """Add the last run before `reader` that wrote to `path`, or to the folder it is in."""
        before = f"attributes.start_time <= {reader.info.start_time}"
        for place in (path, str(PurePosixPath(path).parent)):
            for run in self._search(f"params.out = {quoted(place)} AND {before}", 1):
                if run.info.run_id != reader.info.run_id and _stage(run) != "main":
                    self.up(run)
                    self.found.edges.add((run.info.run_id, path))
                    return

    def _add(self, node: Node) -> bool:
        """Tell whether a node is new, and add it."""
        if node.key in self.found.nodes:
            return False
        if len(self.found.nodes) >= _MOST_NODES:
            self.found.cut = True
            return False
        self.found.nodes[node.key] = node
        return True

    def _search(self, query: str, most: int) -> list[Run]:
        return newest_runs(self.client, query, experiments=self.experiments, limit=most)


def _of_run(run: Run) -> Node:
    family = run.data.tags.get(TAG_MODEL_FAMILY, "")
    return Node(run.info.run_id, "run", _stage(run), family, run.info.status)


def _stage(run: Run) -> str:
    return str(run.data.tags.get(TAG_STAGE, "unknown"))
