// One tick of a topic to many sessions: publish once, then poll every session for its frame. No sockets: what the
// library adds to the cost of a send. items_per_second counts delivered updates.
#include <benchmark/benchmark.h>

#include <memory>
#include <vector>

#include "libsync/session.h"
#include "workloads.h"

namespace {

using namespace libsync;

// A session that is live and subscribed to topic 1.
std::unique_ptr<ServerSession> live_session(Broadcaster& broadcaster, const Limits& limits, TimePoint now) {
  auto session = std::make_unique<ServerSession>(broadcaster, limits, ServerSessionConfig{}, now);
  protocol::HelloT hello;
  hello.protocol_min = hello.protocol_max = 1;
  hello.patch_format_max = 255;
  hello.instance = std::make_unique<protocol::Id128>(1, 2);
  session->handle_frame(now, *encode_message(Sequence{1}, std::move(hello)));
  session->welcome(now, {});
  protocol::SubscribeT subscribe;
  subscribe.topics.push_back(std::make_unique<protocol::TopicRequestT>());
  subscribe.topics[0]->name = "world";
  session->handle_frame(now, *encode_message(Sequence{2}, std::move(subscribe)));
  session->accept_subscription(now, "world", TopicId{1});
  while (!std::holds_alternative<Deadline>(session->poll_output(now))) {
  }
  return session;
}

void broadcast(benchmark::State& state) {
  Limits limits;
  limits.updates_per_second = 1'000'000;
  Broadcaster broadcaster(limits);
  Topic topic(TopicInfo{TopicId{1}, "world", Epoch{1}}, limits);
  bench::Universe universe(1, 1000);
  broadcaster.publish(**topic.publish(universe.snapshot()->bytes()));
  TimePoint now(std::chrono::seconds(1));
  std::vector<std::unique_ptr<ServerSession>> sessions;
  for (std::int64_t i = 0; i < state.range(0); ++i) sessions.push_back(live_session(broadcaster, limits, now));
  std::uint64_t delivered = 0;
  for (auto _ : state) {
    state.PauseTiming();  // making the state is the game's cost, encoding it is in patch_bench
    universe.move();
    const auto update = topic.publish(universe.snapshot()->bytes());
    now += std::chrono::milliseconds(100);
    state.ResumeTiming();
    broadcaster.publish(**update);
    while (ServerSession* session = broadcaster.next_ready()) {
      for (ServerOutput output = session->poll_output(now); !std::holds_alternative<Deadline>(output);
           output = session->poll_output(now)) {
        ++delivered;
      }
    }
  }
  if (delivered != state.iterations() * sessions.size()) return state.SkipWithError("not one update for each session");
  state.SetItemsProcessed(static_cast<std::int64_t>(delivered));
}
BENCHMARK(broadcast)->Name("broadcast/dense_motion")->Arg(100)->Arg(1000)->Arg(10'000);

}  // namespace
