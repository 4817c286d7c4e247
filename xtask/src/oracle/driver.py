"""The original's functions behind JSON lines: one question a line on stdin, one answer on stdout.

Starting the original's command line takes a tenth of a second; this asks the same functions in the
way that its `cli.py` does, and a sample of all questions goes through both.
"""

import dataclasses
import io
import json
import pathlib
import sys
import types

from dos import admission, arbiter, config, home, lane_journal, lane_lease

CONFIGS = {}


def loaded(workspace):
    """The configuration and the conditions of a workspace, as `cmd_arbitrate` builds them."""
    if workspace not in CONFIGS:
        CONFIGS.clear()
        cfg = config.load_workspace_config(workspace, gather_env=False)
        CONFIGS[workspace] = (cfg, admission.active_predicates(config=cfg))
    return CONFIGS[workspace]


def tree_of(cfg, question):
    tree = list(question["tree"] or [])
    if not tree and question["lane"]:
        tree = cfg.lanes.tree_for(question["lane"])
    return tree


def decision_of(decision):
    shown = decision.to_dict()
    del shown["reason"]
    return shown


def arbitrate(question):
    cfg, predicates = loaded(question["workspace"])
    lanes = question.get("lanes")
    if lanes is not None:
        trees = {lane: tuple(tree) for lane, tree in lanes["trees"].items()}
        taxonomy = dataclasses.replace(
            cfg.lanes,
            autopick=tuple(lanes["autopick"]),
            exclusive=tuple(lanes["exclusive"]),
            trees=trees,
        )
        cfg = dataclasses.replace(cfg, lanes=taxonomy)
    return decision_of(arbiter.arbitrate(
        requested_lane=question["lane"],
        requested_kind=question["kind"],
        requested_tree=tree_of(cfg, question),
        live_leases=question["leases"],
        config=cfg,
        force=question["force"],
        predicates=predicates,
        class_budgets=question["budgets"] or None,
    ))


def acquire(question):
    cfg, _ = loaded(question["workspace"])
    result = lane_lease.acquire(
        cfg, lane=question["lane"], kind=question["kind"], tree=tree_of(cfg, question),
        owner=question["owner"], loop_ts=question["loop_ts"], run_id=question["run_id"])
    shown = decision_of(result.decision)
    shown["journaled"] = result.journaled
    shown["owner"] = result.owner
    if question["run_id"]:
        shown["run_id"] = question["run_id"]
    return shown


def release(question):
    cfg, _ = loaded(question["workspace"])
    done = lane_lease.release(
        cfg, lane=question["lane"], owner=question["owner"], loop_ts=question["loop_ts"])
    return {"released": done, "lane": question["lane"], "owner": question["owner"]}


def heartbeat(question):
    cfg, _ = loaded(question["workspace"])
    done = lane_lease.heartbeat(
        cfg, lane=question["lane"], owner=question["owner"], loop_ts=question["loop_ts"],
        coalesce_within_s=question["coalesce"])
    return {"beat": done, "lane": question["lane"], "owner": question["owner"]}


def spawn(question):
    cfg, _ = loaded(question["workspace"])
    return dataclasses.asdict(lane_lease.spawn(
        cfg, lane=question["lane"], owner=question["owner"], loop_ts=question["loop_ts"],
        run_id=question["run_id"], reason=question["reason"]))


def halt(question):
    cfg, _ = loaded(question["workspace"])
    return dataclasses.asdict(lane_lease.halt(
        cfg, handle=question["handle"], lane=question["lane"], owner=question["owner"],
        loop_ts=question["loop_ts"], reason=question["reason"], run_id=question["run_id"],
        command=question["command"] or None))


def compacted(path):
    paths = types.SimpleNamespace(lane_journal=path)
    return dataclasses.asdict(lane_lease.compact_journal(types.SimpleNamespace(paths=paths)))


def compact(question):
    return compacted(pathlib.Path(question["journal"]))


def meaning(path):
    return {
        "replay": lane_journal.replay(lane_journal.read_all(path)),
        "seq": lane_journal.next_seq(path) - 1,
    }


def live(question):
    return [meaning(pathlib.Path(path)) for path in question["journals"]]


def journal(question):
    """Everything that the verbs of `dos journal` say of one file, which is compacted last."""
    path = pathlib.Path(question["journal"])
    shown = meaning(path)
    shown["tail"] = lane_journal.tail(question["count"], path)
    shown["compact"] = compacted(path)
    if question["escape"]:
        # It writes characters at which it then ends lines, and loses every lease by that.
        text = path.read_text(encoding="utf-8")
        for character in "\u0085\u2028\u2029":
            text = text.replace(character, f"\\u{ord(character):04x}")
        path.write_text(text, encoding="utf-8")
    shown["after"] = meaning(path)
    shown["after"]["tail"] = lane_journal.tail(0, path)
    return shown


def home_write(question):
    """What every verb that writes does first, and `arbitrate --force` then."""
    cfg, _ = loaded(question["workspace"])
    home.ensure_project_home(cfg, _stderr=io.StringIO())
    if lane := question["lane"]:
        home.append_decision(cfg, {
            "kind": "ARBITER_REFUSE", "resolver_kind": "HUMAN", "lane": lane,
            "reason_token": "", "reason_category": "", "run_ts": "",
            "resolution": {"action": "force_acquire", "lane": lane, "forced": True}})


def home_reindex(question):
    return home.reindex(home=question["home"], prune=question["prune"])


def home_read(question):
    shown = {axis: home.learn(axis, home=question["home"]) for axis in question["axes"]}
    return {"projects": home.list_projects(home=question["home"]), **shown}


DO = {
    function.__name__: function
    for function in (
        arbitrate, acquire, release, heartbeat, spawn, halt, compact, live, journal,
        home_write, home_reindex, home_read)
}

for line in sys.stdin:
    question = json.loads(line)
    try:
        answer = {"answer": DO[question["do"]](question)}
    except Exception as error:  # what the original raises is its answer
        answer = {"raised": repr(error)}
    sys.stdout.write(json.dumps(answer, default=str) + "\n")
    sys.stdout.flush()
