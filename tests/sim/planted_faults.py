#!/usr/bin/env python3
"""planted_faults.py [--build DIR] [--schedules N] [--jobs J] [NAME...]: tests the simulator.

Each planted fault is a change of one place of the sources that breaks a promise of the protocol. The changed file is compiled
aside, linked with all the others into a libsync-sim of its own, and that has to find a violation (or end by an assertion) within N schedules
(100,000). The sources stay as they are. Last line: "N passed, M failed", faults.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]

LEDGER = "libsync/src/action_ledger.cpp"
REGISTRY = "libsync/src/session_registry.cpp"
SERVER_SESSION = "libsync/src/server_session.cpp"
CLIENT_SESSION = "libsync/src/client_session.cpp"
QUEUE = "libsync/src/action_queue.cpp"
CLIENT = "libsync/src/client.cpp"
BROADCASTER = "libsync/src/broadcaster.cpp"
PATCH = "libsync/src/patch.cpp"
ROOM = "server/src/room.cpp"
SAVER = "server/src/saver.cpp"
LINK = "server/src/link.cpp"
HOME = "server/src/home.cpp"

# Name, file, what is there once, what is there instead.
FAULTS = [
    ("ledger: a repeated action is no repeat", LEDGER, "if (sequence <= entry.last) {", "if (false) {"),
    ("ledger: executed counts as durable", LEDGER, "  entry.last = sequence;\n", "  entry.durable = entry.last = sequence;\n"),
    ("ledger: what came during a commit is durable with it", LEDGER,
     "at->second.durable = at->second.committing;", "at->second.durable = at->second.last;"),
    ("ledger: results are not stored", LEDGER, "for (const ExecutedAction& action : entry.actions) {",
     "for (const ExecutedAction& action : std::deque<ExecutedAction>()) {"),
    ("ledger: an executed action is no change", LEDGER, "  changed_.insert(key);\n  removed_.erase(record_key(key));\n", ""),
    ("ledger: a withdrawn action is executed", LEDGER, "if (!withdrawn) return Verdict::kExecute;", "return Verdict::kExecute;"),
    ("ledger: another ledger's instances are known", LEDGER,
     'if (!is_same(claim.ledger, id_)) return unknown("the instance knows another ledger than this one");', ""),
    ("ledger: what is loaded is not durable", LEDGER, "entry.committing = entry.durable = entry.last;", ""),
    ("ledger: a commit that failed is forgotten", LEDGER, "      changed_.insert(key);\n    } else if", "    } else if"),
    ("registry: the later Hello wins, whichever connection is newer", REGISTRY,
     "request.attempt <= session->attempt", "request.attempt < 1"),
    ("registry: the older connection is not ended", REGISTRY, "ended.replaced.push_back(session->connection);", ";"),
    ("registry: only the newest secret is good", REGISTRY,
     "request.secret_hash == session->secret_hash || request.secret_hash == session->previous_hash;",
     "request.secret_hash == session->secret_hash;"),
    ("registry: a user never joins", REGISTRY, "grant.user_joined = !users_.contains(request.key.user);", ""),
    ("registry: every session joins its user", REGISTRY, "grant.user_joined = !users_.contains(request.key.user);",
     "grant.user_joined = true;"),
    ("registry: a user leaves with any of his sessions", REGISTRY, "  if (!user->second.empty()) return;\n  users_.erase(user);\n",
     "  if (user->second.empty()) users_.erase(user);\n"),
    ("room: results are not sent to the next connection", ROOM,
     "    for (Sequence sequence = state->last_action; ledger_.find(key, sequence) != nullptr; --sequence.value) {\n"
     "      answer_in_time(key, sequence);\n    }\n", ""),
    ("room: every result is said to be durable", ROOM, "result.durable = ledger_.is_durable(key, sequence);",
     "result.durable = true;"),
    ("room: nothing is saved for actions", ROOM, "(is_time || ledger_.has_changes())", "is_time"),
    ("room: one shard hears of no versions", ROOM, "    if (entry.held[shard]) tell(shard, update);\n",
     "    if (entry.held[shard] && shard == 0) tell(shard, update);\n"),
    ("room: a result names the version before", ROOM, "version->version = topic.position().version.value;",
     "version->version = topic.position().version.value - 1;"),
    ("room: an accepted action is answered before its effect is published", ROOM,
     "    accepted_.push_back({key, sequence});\n  } else {\n    answer(key, sequence);\n  }\n}",
     "    answer(key, sequence);\n  } else {\n    answer(key, sequence);\n  }\n}"),
    ("room: confirmations are not heard", ROOM,
     "if (found != nullptr && found->connection == from) ledger_.confirm(key, sequence);", ""),
    ("room: the results go to the connection before", ROOM, "    speakers_[key] = {from, attempt};\n",
     "    speakers_.try_emplace(key, Speaker{from, attempt});\n"),
    ("saver: a commit that failed is told as durable", SAVER, "committed_(ledger_.committed(durable));",
     "committed_(ledger_.committed(true));"),
    ("saver: the ledger is not in the commit", SAVER,
     "  ActionLedger::Changes changes = ledger_.take_changes();\n  for (ActionLedger::Record& record : changes.records) {\n"
     "    records.push_back({std::string(kLedgerPrefix) + record.key, std::move(record.value)});\n  }\n"
     "  for (const std::string& key : changes.removed)",
     "  ActionLedger::Changes changes = ledger_.take_changes();\n  for (const std::string& key : changes.removed)"),
    ("saver: the game is not in the commit", SAVER,
     "if (before == saved_.end() || before->second != hash) records.push_back(std::move(record));", "(void)before;"),
    ("saver: what could not be written counts as written", SAVER, "if (durable) saved_ = saved;", "saved_ = saved;"),
    ("saver: the ledger of the last run is not read", SAVER, "const Result<bool> taken = ledger_.load(executed);",
     "const Result<bool> taken = ledger_.load({});"),
    ("link: every instance is new", LINK, "claim_.is_new = hello.is_new;", "claim_.is_new = true;"),
    ("link: Welcome does not say what was executed", LINK, "welcome_.last_action = answer.state->last_action;", ""),
    ("link: the connection's end is not told to the home", LINK,
     "  if (has_asked_home_) ports_.close_session(key_, said_goodbye_);\n", ""),
    ("home: the user is in the game too late", HOME,
     "  if (grant && grant->user_joined) ports_.join(request.key.user);\n  ports_.grant(ref(request.connection), grant);\n",
     "  ports_.grant(ref(request.connection), grant);\n"),
    ("server session: the version that was sent is off by one", SERVER_SESSION, "subscription.sent = update.header.version;",
     "subscription.sent = Version{update.header.version.value - 1};"),
    ("server session: GetState is not answered", SERVER_SESSION,
     "    subscription.full_reason = reason_of(get_state.cause);\n", "    (void)reason_of;\n"),
    ("server session: durability is said one action too far", SERVER_SESSION, "  durable.action_sequence = sequence.value;\n",
     "  durable.action_sequence = sequence.value + 1;\n"),
    ("server session: durability is never said", SERVER_SESSION, "  durable.action_sequence = sequence.value;\n  send(std::move(durable));\n",
     "  durable.action_sequence = sequence.value;\n"),
    ("patch: the digest is not checked", PATCH, "if (snapshot->digest() != open->header.digest) {", "if (false) {"),
    ("client session: acks are off by one", CLIENT_SESSION,
     "    version->version = subscription.held.position.version.value;\n    ack.versions",
     "    version->version = subscription.held.position.version.value + 1;\n    ack.versions"),
    ("client session: a mismatch is not reported", CLIENT_SESSION,
     "  if (!snapshot) return resync(name, subscription, snapshot.error());\n", "  if (!snapshot) return;\n"),
    ("client session: what arrived for another epoch is kept under the old one", CLIENT_SESSION,
     "held = {{subscription.epoch, header.version", "held = {{held.position.epoch, header.version"),
    ("queue: actions are sent before they are stored", QUEUE, "entries_[at].is_stored && ", ""),
    ("queue: what a crash took is not sent again", QUEUE, "  next_ = ActionId{base_ + last.value + 1};\n",
     "  next_ = std::max(next_, ActionId{base_ + last.value + 1});\n"),
    ("queue: a failed action is not sent again", QUEUE, "    next_ = std::min(next_, id);\n", ""),
    ("queue: a refused action may be executed later", QUEUE, "  withdraw(id);\n  return Taken::kRefused;",
     "  return Taken::kRefused;"),
    ("queue: an answer is enough to end", QUEUE, " && front_ <= id_of(durable_)", ""),
    ("queue: durability is enough to end", QUEUE, "entries_.front().is_answered && ", ""),
    ("queue: what was sent goes to the next instance", QUEUE, "while (!entries_.empty() && front_ <= max_sent_) {",
     "while (!entries_.empty() && front_ <= max_sent_ && entries_.front().is_answered) {"),
    ("queue: durability is one action too far", QUEUE, "  durable_ = std::max(durable_, sequence);\n",
     "  durable_ = std::max(durable_, Sequence{sequence.value + 1});\n"),
    ("client: confirms before it is stored", CLIENT, "  then.ended = settled.back();\n",
     "  then.ended = settled.back();\n  if (session_) session_->confirm_actions(TimePoint{}, actions_.confirmed());\n"),
    ("client: actions before the identity is stored", CLIENT, "if (!is_identity_stored_ || !session_->is_live()",
     "if (!session_->is_live()"),
    ("client: attempts have one number", CLIENT, "  ++attempt_;\n", "  attempt_ = 1;\n"),
    ("client: a process uses the attempts of the one before", CLIENT, "    attempt_ = max_attempt_;\n", "    attempt_ = 0;\n"),
    ("client: an action that ended stays on disk", CLIENT,
     "  for (const ActionId id : settled) records.removed.push_back(action_key(id));\n", ""),
    ("client: what was stored is taken for unsent", CLIENT, "std::move(actions), !is_new_);", "std::move(actions), false);"),
    ("client: the server's word on executed actions is not checked", CLIENT,
     "  if (!actions_.begin(Sequence{welcome.last_action_sequence})) {",
     "  if (actions_.begin(Sequence{welcome.last_action_sequence}), false) {"),
    ("client: an unknown instance goes on", CLIENT,
     "    if (reason.code == ErrorCode::kUnknownInstance) renounce_instance(*ending_);\n", ""),
]

def commands(build):
    """The compiler's command of each source file, and the linker's of libsync-sim."""
    compile_commands = {}
    for entry in json.loads(subprocess.check_output(["ninja", "-C", build, "-t", "compdb"])):
        path = os.path.relpath(os.path.join(entry["directory"], entry["file"]), ROOT)
        if " -c " in entry["command"]:
            compile_commands.setdefault(path, entry["command"])
    lines = subprocess.check_output(["ninja", "-C", build, "-t", "commands", "libsync-sim"], text=True).splitlines()
    return compile_commands, lines[-1]


def plant(fault, build, compile_commands, link_command, folder):
    """A libsync-sim with the fault in it. The path, or what went wrong."""
    name, path, before, after = fault
    text = (ROOT / path).read_text()
    if text.count(before) != 1:
        return None, f"the place is there {text.count(before)} times"
    source = folder / pathlib.Path(path).name
    source.write_text(text.replace(before, after))
    words = shlex.split(compile_commands[path])
    if "ccache" in " ".join(words[:6]):
        words = words[next(i for i, word in enumerate(words) if word.endswith("/c++") or word.endswith("g++")):]
    for option in ("-MD", "-Werror"):
        words = [word for word in words if word != option]
    for option in ("-MT", "-MF", "-o", "-c"):
        at = words.index(option)
        del words[at:at + 2]
    made = folder / "planted.o"
    words += ["-w", "-I", str((ROOT / path).parent), "-c", str(source), "-o", str(made)]
    compiled = subprocess.run(words, cwd=build, capture_output=True, text=True)
    if compiled.returncode != 0:
        return None, "does not compile: " + compiled.stderr[:300]
    program = folder / "libsync-sim"
    link = link_command.split(" && ")
    words = shlex.split(next(part for part in link if " -o " in part))
    words[words.index("-o") + 1] = str(program)
    # Before the libraries: what the object defines is not looked for there.
    words.insert(next(i for i, word in enumerate(words) if word.endswith(".o")), str(made))
    linked = subprocess.run(words, cwd=build, capture_output=True, text=True)
    if linked.returncode != 0:
        return None, "does not link: " + linked.stderr[:300]
    return program, ""


def check(fault, build, compile_commands, link_command, n_schedules):
    with tempfile.TemporaryDirectory() as folder:
        program, problem = plant(fault, build, compile_commands, link_command, pathlib.Path(folder))
        if program is None:
            return False, problem
        tried, step, started = 0, 200, time.monotonic()
        while tried < n_schedules:
            step = min(step, n_schedules - tried)
            try:
                ran = subprocess.run([str(program), "--schedules", str(step), "--seed", str(1 + tried), "--threads", "1"],
                                     capture_output=True, text=True, timeout=120 + step)
            except subprocess.TimeoutExpired:
                return True, f"within {tried + step} schedules: does not come to an end"
            tried += step
            if ran.returncode != 0:
                first = (ran.stdout.splitlines() or ran.stderr.splitlines() or [""])[0]
                return True, f"within {tried} schedules: {first[:120]}"
            step *= 4
        return False, f"not noticed in {tried} schedules, {time.monotonic() - started:.0f} s"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=str(ROOT / "build/release"))
    parser.add_argument("--schedules", type=int, default=100_000)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    compile_commands, link_command = commands(options.build)
    faults = [fault for fault in FAULTS if not options.names or any(name in fault[0] for name in options.names)]
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        results = pool.map(
            lambda fault: check(fault, options.build, compile_commands, link_command, options.schedules), faults)
        for fault, (is_caught, how) in zip(faults, results):
            print(("caught   " if is_caught else "MISSED   ") + fault[0] + ": " + how, flush=True)
            passed += is_caught
            failed += not is_caught
    print(f"{passed} passed, {failed} failed")
    return 0 if failed == 0 and passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
