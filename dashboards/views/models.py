"""Models: registered versions, what the gate said, their cards, and a model to try."""

import pandas as pd
import streamlit as st
from latentlaw.tracking.reading.models import Version
from latentlaw.tracking.reading.queries import is_run_id

from dashboards.panels import try_model
from dashboards.panels.controls import download_csv
from dashboards.reading import store
from dashboards.wording.escaping import for_markdown, safe_markdown, shorten

_OWN = "latentlaw."
# In the order in which they are told; tags of ours that are not here are left as they are.
_TAGS = {
    "gate_reason": "The gate said",
    "gate_metric": "Measure of the gate",
    "gate_value": "Its value",
    "gate_low": "95 % interval, from",
    "gate_high": "95 % interval, to",
    "gate_particles": "Held-out particles",
    "gate_groups": "Held-out groups",
    "model_family": "Model",
    "data_digest": "Data digest",
}


def render() -> None:
    """Show the page."""
    st.title("Models")
    names = store.read_models()
    if not names:
        st.info(
            "No registered model yet: `mlflow run . -e register -P run=RUN_ID` registers that of "
            "a train or discover run; `mlflow run .` does so at its end."
        )
        return
    left, right = st.columns([2, 3])
    name = left.selectbox(
        "Model", names, key="model", bind="query-params", format_func=lambda n: shorten(n, 80)
    )
    versions = {each.version: each for each in store.read_versions(name)}
    if not versions:
        st.info("This model has no version: register a run with its name, `-P name=…`.")
        return
    number = right.selectbox(
        "Version",
        list(versions),
        index=_default(versions),
        format_func=lambda v: _label(versions[v]),
    )
    st.query_params["version"] = number
    version = versions[number]
    try_it, card, every = st.tabs(
        ["Try it", "Card", "Versions"], key="view", on_change="rerun", bind="query-params"
    )
    if try_it.open:
        with try_it:
            try_model.render(version)
    if card.open:
        with card:
            _card(version)
    if every.open:
        with every:
            _versions(list(versions.values()))


def _default(versions: dict[str, Version]) -> int:
    """Choose the version that the URL names, else the champion, else the newest."""
    asked = st.query_params.get("version")
    if asked in versions:
        return list(versions).index(asked)
    champions = [i for i, v in enumerate(versions.values()) if "champion" in v.aliases]
    return champions[0] if champions else 0


def _label(version: Version) -> str:
    aliases = f" · {shorten(', '.join(version.aliases), 40)}" if version.aliases else ""
    return f"{version.version}{aliases} · {version.made:%d %b %Y %H:%M}"


def _card(version: Version) -> None:
    told = {
        **{key: version.tags[_OWN + key] for key in _TAGS if _OWN + key in version.tags},
        **{
            key: value
            for key, value in version.tags.items()
            if key.removeprefix(_OWN) not in _TAGS
        },
    }
    left, right = st.columns([2, 1], gap="large")
    with right:
        st.subheader("Gate and tags")
        if "gate_reason" in told:
            st.info(for_markdown(told.pop("gate_reason"), 2000), icon=":material/door_front:")
        if told:
            rows = [(_TAGS.get(key, shorten(key)), _number(value)) for key, value in told.items()]
            table = pd.DataFrame(rows, columns=["What", "Value"])
            st.dataframe(table, hide_index=True, placeholder="")
        else:
            st.caption("This version carries no tags.")
        st.subheader("Load it")
        st.code(
            f"mlflow models serve -m {version.uri} --env-manager=local",
            language="shell",
            wrap_lines=True,
        )
        if is_run_id(version.run_id):
            st.markdown(f"[Where it comes from](./?run={version.run_id}&show=Lineage)")
    with left:
        if version.description.strip():
            st.markdown(safe_markdown(version.description))
        else:
            st.info("This version has no card: versions get one as `register` makes them.")


def _versions(versions: list[Version]) -> None:
    table = pd.DataFrame(
        [
            {
                "Version": int(each.version),
                "Aliases": shorten(", ".join(each.aliases), 60),
                "Registered (UTC)": each.made.tz_localize(None),
                "Measure": shorten(each.tags.get(f"{_OWN}gate_metric", "")),
                "Value": _float(each.tags.get(f"{_OWN}gate_value")),
                "The gate said": shorten(each.tags.get(f"{_OWN}gate_reason", ""), 300),
                "Data": each.tags.get(f"{_OWN}data_digest", "")[:8],
                "Run": each.run_id[:8],
            }
            for each in versions
        ]
    )
    st.dataframe(
        table,
        hide_index=True,
        placeholder="",
        column_config={
            "Registered (UTC)": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm"),
            "Value": st.column_config.NumberColumn(format="%.3f"),
        },
    )
    st.caption("An alias moves by `register`, through its gate.")
    download_csv(table, "versions.csv")


def _float(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def _number(text: str) -> str:
    value = _float(text)
    return shorten(text, 80) if value is None or value.is_integer() else f"{value:.3f}"


if __name__ == "__main__":
    render()
