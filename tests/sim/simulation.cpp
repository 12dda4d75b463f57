#include "simulation.h"

#include <cstdio>
#include <utility>

#include "libsync/fingerprint.h"

namespace libsync::sim {

using namespace std::chrono_literals;
using server::ConnectionRef;

namespace {

// A socket takes so much before its writer has to wait.
constexpr std::size_t kSocketBytes = 64u << 10;
// With a working connection everything is there after this.
constexpr Duration kSoon = 5s;
// After the last fault, with all waits between attempts.
constexpr Duration kInTheEnd = 45s;

Limits limits_of(const Schedule& schedule) {
  Limits limits;
  limits.patch_format = schedule.patch_format;
  limits.max_history_versions = 8;
  limits.max_part_bytes = 8u << 10;
  limits.reconnect_window = 500ms;
  limits.session_linger = 5s;
  limits.max_actions_in_flight = 8;
  limits.instance_horizon = std::chrono::hours(24 * 30);
  return limits;
}

}  // namespace

// --- The server's process ----------------------------------------------------------------------------------

struct Simulation::Host final : server::Link::Ports {
  Host(Simulation& the_sim, std::uint64_t the_number, std::uint32_t the_shard, const std::string& user);
  void open_session(const SessionRequest& request) override;
  void confirm_secret(const InstanceKey& key) override;
  void close_session(const InstanceKey& key, bool for_good) override;
  void post(std::function<void(server::Room&)> function) override;
  Result<TimePoint> verify_token(const std::string&) override { return TimePoint::max(); }
  std::uint64_t random() override { return sim.random_.next(); }
  void session_began(const std::string&) override {}
  void report(const Error& error, bool) override { sim.trace("server reports " + error.detail); }

  Simulation& sim;
  const std::uint64_t number;
  const std::uint32_t shard;
  TimePoint timer_at = TimePoint::max();
  std::optional<server::Link> link;
};

struct Simulation::Server {
  struct Shard final : server::Home::Ports {
    Shard(Simulation& the_sim, std::uint32_t the_index)
        : sim(the_sim),
          index(the_index),
          broadcaster(the_sim.limits_),
          home(the_sim.limits_, *this, the_sim.schedule_.n_shards) {}
    void grant(ConnectionRef to, const Result<SessionGrant>& grant) override {
      sim.post(1 + index, 1 + to.shard, [this, to, grant] {
        Host* host = sim.server_->shards[to.shard]->find(to.connection);
        if (host == nullptr) return;
        host->link->granted(sim.events_.now(), grant);
        sim.pump(to.connection);
      });
    }
    void end_connection(ConnectionRef to, ErrorCode why) override {
      sim.post(1 + index, 1 + to.shard, [this, to, why] {
        Host* host = sim.server_->shards[to.shard]->find(to.connection);
        if (host == nullptr) return;
        host->link->end_session(sim.events_.now(), why);
        sim.pump(to.connection);
      });
    }
    void join(const std::string& user) override {
      sim.post(1 + index, 0, [this, user] { sim.server_->room.join(user); });
    }
    void leave(const std::string& user) override {
      sim.post(1 + index, 0, [this, user] { sim.server_->room.leave(user); });
    }
    Host* find(std::uint64_t number) {
      const auto at = hosts.find(number);
      return at == hosts.end() ? nullptr : at->second.get();
    }

    Simulation& sim;
    const std::uint32_t index;
    Broadcaster broadcaster;
    server::Home home;
    std::map<std::uint64_t, std::unique_ptr<Host>> hosts;
  };

  explicit Server(Simulation& the_sim)
      : sim(the_sim),
        game(the_sim.schedule_.world_bytes),
        store(the_sim.events_, the_sim.random_, the_sim.disk_),
        mailboxes((the_sim.schedule_.n_shards + 2) * (the_sim.schedule_.n_shards + 2)),
        room(
            game, store, the_sim.limits_, the_sim.log_,
            {.n_shards = the_sim.schedule_.n_shards, .ticks_between_saves = 50},
            [this](std::uint32_t shard, std::vector<server::RoomMessage> messages) {
              for (const server::RoomMessage& message : messages) {
                if (const auto* update = std::get_if<TopicUpdate>(&message)) sim.record(*update);
              }
              sim.post(0, 1 + shard,
                       [this, shard, messages = std::move(messages)] { sim.deliver_to_shard(shard, messages); });
            },
            [this] { return sim.random_.next(); },
            [this](std::function<void()> function) { sim.post(sim.schedule_.n_shards + 1, 0, std::move(function)); },
            {.steady = [this] { return sim.events_.now(); },
             .wall_ms =
                 [this] {
                   const auto ms =
                       std::chrono::duration_cast<std::chrono::milliseconds>(sim.events_.now().time_since_epoch());
                   return static_cast<std::uint64_t>(1'700'000'000'000 + ms.count() + sim.wall_offset_ms_);
                 }}) {
    game.ever_executed = &the_sim.ever_executed_;
    game.gone = &the_sim.gone_;
    for (std::uint32_t i = 0; i < the_sim.schedule_.n_shards; ++i)
      shards.push_back(std::make_unique<Shard>(the_sim, i));
  }

  Simulation& sim;
  SimGame game;
  SimStore store;
  std::vector<Mailbox> mailboxes;  // [from][to]: the room, the shards, the store's thread
  server::Room room;
  std::vector<std::unique_ptr<Shard>> shards;
  bool is_stopping = false;
};

Simulation::Host::Host(Simulation& the_sim, std::uint64_t the_number, std::uint32_t the_shard, const std::string& user)
    : sim(the_sim), number(the_number), shard(the_shard) {
  ServerSessionConfig config;
  config.owner = this;
  link.emplace(*this, sim.server_->shards[shard]->broadcaster, sim.limits_, user, ConnectionRef{shard, number}, config,
               sim.events_.now());
}

// The home of every user is a shard by the length of his name.
void Simulation::Host::open_session(const SessionRequest& request) {
  const std::size_t home = request.key.user.size() % sim.schedule_.n_shards;
  sim.post(1 + shard, 1 + home,
           [&s = sim, home, request] { s.server_->shards[home]->home.open(s.events_.now(), request); });
}
void Simulation::Host::confirm_secret(const InstanceKey& key) {
  const std::size_t home = key.user.size() % sim.schedule_.n_shards;
  sim.post(1 + shard, 1 + home,
           [&s = sim, home, key, n = number] { s.server_->shards[home]->home.confirm_secret(key, n); });
}
void Simulation::Host::close_session(const InstanceKey& key, bool for_good) {
  const std::size_t home = key.user.size() % sim.schedule_.n_shards;
  sim.post(1 + shard, 1 + home, [&s = sim, home, key, n = number, for_good] {
    s.server_->shards[home]->home.close(s.events_.now(), key, n, for_good);
  });
}
void Simulation::Host::post(std::function<void(server::Room&)> function) {
  sim.post(1 + shard, 0, [&s = sim, function = std::move(function)] { function(s.server_->room); });
}

void Simulation::post(std::size_t from, std::size_t to, std::function<void()> function) {
  Mailbox& mailbox = server_->mailboxes[from * (schedule_.n_shards + 2) + to];
  events_.at(mailbox.arrival(events_.now(), random_.pick(Duration(0), Duration(200))),
             [this, run = server_run_, function = std::move(function)] {
               if (server_ && run == server_run_) function();
             });
}

void Simulation::record(const TopicUpdate& update) {
  const TopicInfo& info = *update.topic;
  std::vector<Known>& known = known_[info.epoch.value];
  if (known.empty()) topic_names_[info.epoch.value] = info.name;
  // Every shard is told of it, and one that meets the topic later.
  if (!known.empty() && known.back().version == update.version.value &&
      known.back().digest == update.snapshot->digest()) {
    return;
  }
  const BytesView bytes = update.snapshot->bytes();
  Known now{info.epoch.value, info.id.value, update.version.value, digest_of(bytes), events_.now(), {}};
  if (info.name == "world") now.executed = SimGame::tokens_of(bytes);
  if (!known.empty() && known.back().version >= now.version && !was_rolled_back_) {
    return violate("a version was published that is not newer");
  }
  known.push_back(now);
}

template <typename Fits>
const Simulation::Known* Simulation::find_known(std::uint64_t epoch, std::uint64_t version, Fits fits) const {
  const auto at = known_.find(epoch);
  if (at == known_.end()) return nullptr;
  for (std::size_t i = at->second.size(); i-- > 0;) {
    const Known& known = at->second[i];
    if (known.version == version && fits(known)) return &known;
    if (known.version < version && !was_rolled_back_) return nullptr;
  }
  return nullptr;
}

void Simulation::start_server() {
  server_ = std::make_unique<Server>(*this);
  const Result<bool> started = server_->room.start();
  if (!started) return violate("the server cannot start: " + started.error().detail);
  server_->store.is_starting = false;
  trace("server started, run " + std::to_string(server_run_));
  events_.after(schedule_.tick, [this, run = server_run_] {
    if (server_ && run == server_run_) tick();
  });
}

void Simulation::crash_server() {
  if (!server_) return;
  trace("server crashes");
  server_->store.crash();
  crashed_.push_back(std::move(server_));
  ++server_run_;
  for (auto& [number, wire] : wires_) {
    if (!wire.server_open) continue;
    wire.server_open = false;
    wire.up.is_broken = true;
    wire.was_touched = true;
    // The process died (the kernel says so) or the machine did (nobody says anything).
    if (!random_.one_in(4)) {
      events_.at(wire.down.last_arrival + random_.pick(Duration(0), schedule_.max_delay),
                 [this, n = number] { tell_client(n, CloseCode::kUnset); });
    } else {
      wire.down.is_broken = true;
    }
  }
}

// As server.cpp does: the room stops and saves, then everybody is sent away.
void Simulation::stop_server() {
  if (!server_ || server_->is_stopping) return;
  trace("server stops");
  server_->is_stopping = true;
  server_->room.stop([this](bool) {
    for (auto& [number, wire] : wires_) {
      Host* host = wire.server_open ? server_->shards[number % schedule_.n_shards]->find(number) : nullptr;
      if (host == nullptr) continue;
      wire.was_touched = true;
      host->link->disconnect(events_.now(), CloseCode::kServiceRestart, ErrorCode::kShuttingDown,
                             "the server is going away", random_.pick(Duration(0), limits_.reconnect_window));
      pump(number);
    }
    events_.after(100ms, [this, run = server_run_] {
      if (server_ && run == server_run_) crash_server();
    });
  });
}

void Simulation::restart_server(Duration away) {
  events_.after(away, [this] {
    if (!server_) return start_server();
    if (server_->is_stopping) restart_server(100ms);
  });
}

void Simulation::tick() {
  server_->room.tick();
  for (const auto& shard : server_->shards) {
    if (shard->home.next_deadline() <= events_.now()) shard->home.handle_timeout(events_.now());
  }
  if (server_->game.violation != nullptr) violate(server_->game.violation);
  events_.after(schedule_.tick, [this, run = server_run_] {
    if (server_ && run == server_run_) tick();
  });
}

// As shard.cpp does.
void Simulation::deliver_to_shard(std::uint32_t index, std::vector<server::RoomMessage> messages) {
  Server::Shard& shard = *server_->shards[index];
  std::vector<std::uint64_t> touched;
  for (server::RoomMessage& message : messages) {
    std::visit(
        [&](auto& value) {
          using T = std::decay_t<decltype(value)>;
          if constexpr (std::is_same_v<T, TopicUpdate>) {
            shard.broadcaster.publish(value);
          } else if constexpr (std::is_same_v<T, server::TopicRemoved>) {
            if (shard.broadcaster.has(value.topic)) shard.broadcaster.remove(value.topic, value.code);
          } else {
            const std::uint64_t number = value.connection;
            if (Host* host = shard.find(number)) {
              touched.push_back(number);
              host->link->answer(events_.now(), std::move(value));
            } else if constexpr (std::is_same_v<T, server::SubscriptionAnswer>) {
              if (!value.topic) return;
              post(1 + index, 0, [this, index, topic = *value.topic] { server_->room.release(index, topic); });
            }
          }
        },
        message);
  }
  while (ServerSession* session = shard.broadcaster.next_ready()) pump(static_cast<Host*>(session->owner())->number);
  for (const std::uint64_t number : touched) pump(number);
}

void Simulation::pump(std::uint64_t number) {
  Wire& wire = wires_.find(number)->second;
  Host* host = server_->shards[number % schedule_.n_shards]->find(number);
  if (host == nullptr) return;
  while (wire.down.bytes < kSocketBytes) {
    server::Link::Output output = host->link->poll_output(events_.now());
    if (auto* transmit = std::get_if<Transmit>(&output)) {
      send(wire, false, std::move(transmit->message));
    } else if (const auto* close = std::get_if<CloseConnection>(&output)) {
      trace("server closes " + std::to_string(number) + ": " + close->reason);
      close_from_server(number, close->close_code);
      return;
    } else {
      const TimePoint at = std::get<Deadline>(output).at;
      if (at >= host->timer_at) return;
      host->timer_at = at;
      events_.at(at, [this, number, run = server_run_] {
        if (!server_ || run != server_run_) return;
        Host* late = server_->shards[number % schedule_.n_shards]->find(number);
        if (late == nullptr) return;
        late->timer_at = TimePoint::max();
        late->link->handle_timeout(events_.now());
        pump(number);
      });
      return;
    }
  }
}

void Simulation::end_link(std::uint64_t number) {
  auto& hosts = server_->shards[number % schedule_.n_shards]->hosts;
  const auto at = hosts.find(number);
  if (at == hosts.end()) return;
  at->second->link->end();
  hosts.erase(at);
}

// --- Network -----------------------------------------------------------------------------------------------

void Simulation::send(Wire& wire, bool up, SharedBytes message) {
  Direction& direction = up ? wire.up : wire.down;
  if (direction.is_broken) return;
  direction.bytes += message->size();
  direction.messages.push_back(std::move(message));
  direction.last_arrival =
      std::max(direction.last_arrival, events_.now() + random_.pick(Duration(50), schedule_.max_delay));
  events_.at(direction.last_arrival, [this, number = wire.number, up] { deliver(number, up); });
}

void Simulation::deliver(std::uint64_t number, bool up) {
  Wire& wire = wires_.find(number)->second;
  Direction& direction = up ? wire.up : wire.down;
  if (direction.messages.empty()) return;  // cut off
  if (!up && wire.client_open && clients_[wire.client].asleep_until > events_.now()) {
    direction.stalled_until = std::max(direction.stalled_until, clients_[wire.client].asleep_until);
  }
  if (direction.stalled_until > events_.now()) {
    direction.last_arrival = std::max(direction.last_arrival, direction.stalled_until);
    events_.at(direction.stalled_until, [this, number, up] { deliver(number, up); });
    return;
  }
  const SharedBytes message = std::move(direction.messages.front());
  direction.messages.pop_front();
  direction.bytes -= message->size();
  if (up) {
    Host* host = wire.server_open ? server_->shards[number % schedule_.n_shards]->find(number) : nullptr;
    if (host == nullptr) return;
    ++outcome_.deliveries;
    host->link->handle_frame(events_.now(), *message);
    pump(number);
    return;
  }
  if (wire.server_open) pump(number);
  if (!wire.client_open || clients_[wire.client].wire != number) return;
  ++outcome_.deliveries;
  clients_[wire.client].client->handle_frame(events_.now(), *message);
  poll_client(wire.client);
}

void Simulation::tell_client(std::uint64_t number, CloseCode code) {
  Wire& wire = wires_.find(number)->second;
  if (!wire.client_open) return;
  ClientHost& host = clients_[wire.client];
  if (host.asleep_until > events_.now()) {
    events_.at(host.asleep_until, [this, number, code] { tell_client(number, code); });
    return;
  }
  wire.client_open = false;
  if (host.wire != number) return;
  host.wire = 0;
  host.client->handle_closed(events_.now(), code, Error{ErrorCode::kNone, "closed"});
  poll_client(wire.client);
}

void Simulation::tell_server(std::uint64_t number) {
  Wire& wire = wires_.find(number)->second;
  if (!wire.server_open) return;
  wire.server_open = false;
  if (server_ && wire.server_run == server_run_) end_link(number);
}

void Simulation::close_from_client(std::uint64_t number) {
  Wire& wire = wires_.find(number)->second;
  wire.client_open = false;
  if (wire.up.is_broken) return;
  events_.at(std::max(wire.up.last_arrival, events_.now() + Duration(50)), [this, number] { tell_server(number); });
}

void Simulation::close_from_server(std::uint64_t number, CloseCode code) {
  Wire& wire = wires_.find(number)->second;
  wire.server_open = false;
  end_link(number);
  if (wire.down.is_broken) return;
  events_.at(std::max(wire.down.last_arrival, events_.now() + Duration(50)),
             [this, number, code] { tell_client(number, code); });
}

// At some byte: what was wholly before it arrives.
void Simulation::cut(Wire& wire, std::uint64_t chance) {
  wire.was_touched = true;
  for (Direction* direction : {&wire.up, &wire.down}) {
    const std::size_t n_arrive = random_.pick(0, direction->messages.size());
    while (direction->messages.size() > n_arrive) {
      direction->bytes -= direction->messages.back()->size();
      direction->messages.pop_back();
    }
    direction->is_broken = true;
  }
  if (chance % 4 != 0) {
    events_.at(wire.down.last_arrival, [this, number = wire.number] { tell_client(number, CloseCode::kUnset); });
  }
  if (chance / 4 % 4 != 0) events_.at(wire.up.last_arrival, [this, number = wire.number] { tell_server(number); });
}

// --- Clients -----------------------------------------------------------------------------------------------

void Simulation::start_client(std::size_t index) {
  ClientHost& host = clients_[index];
  ClientConfig config;
  config.random = [this] { return random_.next(); };
  std::vector<ClientRecord> stored;
  for (const auto& [key, value] : host.disk) stored.push_back({key, value});
  const TimePoint now = events_.now();
  host.seen.clear();
  host.timer_at = TimePoint::max();
  host.client.emplace(limits_, std::move(config), std::move(stored), now);
  host.client->subscribe(now, "world");
  host.client->subscribe(now, "player/" + host.user);
  host.client->start(now);
  poll_client(index);
}

void Simulation::crash_client(std::size_t index) {
  ClientHost& host = clients_[index];
  if (!host.client) return;
  trace("client " + std::to_string(index) + " crashes");
  if (host.wire != 0) {
    wires_.find(host.wire)->second.was_touched = true;
    close_from_client(host.wire);
  }
  host.client.reset();
  host.wire = 0;
  ++host.run;
  // Some of what was being written got there.
  for (std::uint64_t n = random_.pick(0, host.writes.size()); n > 0; --n) {
    for (const std::string& key : host.writes.front().removed) host.disk.erase(key);
    for (const ClientRecord& record : host.writes.front().records) host.disk[record.key] = record.value;
    host.writes.pop_front();
  }
  host.writes.clear();
  // Of what had ended, some was not yet removed from the disk.
  for (const auto& [id, token] : host.tokens) {
    const std::string digits = std::to_string(id);
    const bool is_on_disk = host.disk.contains("action/" + std::string(20 - digits.size(), '0') + digits);
    Fate& fate = tokens_[token].fate;
    if (fate == Fate::kEnded && is_on_disk) fate = Fate::kStored;
    // Or it was, and the process had not heard of it.
    const bool was_waiting = fate == Fate::kStored || fate == Fate::kAccepted || fate == Fate::kRefused;
    if (was_waiting && !is_on_disk) fate = Fate::kEnded;
  }
}

void Simulation::act(std::size_t index) {
  ClientHost& host = clients_[index];
  if (!is_awake(index) || host.n_acted == kTokensPerClient) return;
  const std::size_t token = index * kTokensPerClient + host.n_acted;
  const Result<ActionId> id = host.client->act(
      events_.now(), encode({static_cast<std::uint32_t>(token), static_cast<std::uint32_t>(random_.pick(0, 1000))}));
  if (!id) return violate("an action was refused although few wait: " + id.error().detail);
  ++host.n_acted;
  host.tokens[id->value] = token;
  trace("client " + std::to_string(index) + " acts: action " + std::to_string(id->value) + ", token " +
        std::to_string(token));
  poll_client(index);
}

void Simulation::write_disk(std::size_t index) {
  events_.after(random_.pick(Duration(100), Duration(5000)), [this, index, run = clients_[index].run] {
    ClientHost& host = clients_[index];
    if (!host.client || run != host.run) return;
    if (host.asleep_until > events_.now()) {
      events_.at(host.asleep_until, [this, index] { write_disk(index); });
      return;
    }
    if (host.writes.empty()) return;
    const StoreRecords write = std::move(host.writes.front());
    host.writes.pop_front();
    for (const std::string& key : write.removed) host.disk.erase(key);
    for (const ClientRecord& record : write.records) host.disk[record.key] = record.value;
    host.client->handle_stored(events_.now(), write.number, true);
    poll_client(index);
  });
}

void Simulation::open_wire(std::size_t index) {
  ClientHost& host = clients_[index];
  const std::uint64_t opening = ++host.opening;
  const Duration delay = random_.pick(Duration(100), schedule_.max_delay);
  events_.after(delay, [this, index, opening, delay, client_run = host.run] {
    const auto is_wanted = [this, index, opening, client_run] {
      const ClientHost& now = clients_[index];
      return now.client && now.run == client_run && now.opening == opening;
    };
    if (!server_ || server_->is_stopping) {
      events_.after(delay, [this, index, is_wanted] {
        if (!is_wanted()) return;
        clients_[index].client->handle_closed(events_.now(), CloseCode::kUnset, Error{ErrorCode::kNone, "refused"});
        poll_client(index);
      });
      return;
    }
    const std::uint64_t number = ++last_wire_;
    Wire& wire = wires_[number];
    wire.number = number;
    wire.client = index;
    wire.server_run = server_run_;
    wire.server_open = true;
    const auto shard = static_cast<std::uint32_t>(number % schedule_.n_shards);
    server_->shards[shard]->hosts[number] = std::make_unique<Host>(*this, number, shard, clients_[index].user);
    pump(number);
    events_.after(delay, [this, index, number, is_wanted] { opened(index, number, is_wanted); });
  });
}

void Simulation::opened(std::size_t index, std::uint64_t number, const std::function<bool()>& is_wanted) {
  if (clients_[index].asleep_until > events_.now()) {
    events_.at(clients_[index].asleep_until, [this, index, number, is_wanted] { opened(index, number, is_wanted); });
    return;
  }
  Wire& wire = wires_.find(number)->second;
  if (!is_wanted() || !wire.server_open) {
    if (wire.server_open) tell_server(number);
    if (is_wanted()) {
      clients_[index].client->handle_closed(events_.now(), CloseCode::kUnset, Error{ErrorCode::kNone, "reset"});
      poll_client(index);
    }
    return;
  }
  trace("client " + std::to_string(index) + " connects as " + std::to_string(number));
  wire.client_open = true;
  wire.open_since = events_.now();
  const Duration late = std::exchange(clients_[index].next_delay, Duration(0));
  if (late > Duration(0)) {
    wire.was_touched = true;
    wire.up.stalled_until = events_.now() + late;
    events_.after(Duration(1000), [this, index, run = clients_[index].run] { switch_network(index, run); });
  }
  clients_[index].wire = number;
  clients_[index].client->handle_open(events_.now());
  poll_client(index);
}

void Simulation::poll_client(std::size_t index) {
  ClientHost& host = clients_[index];
  if (!host.client) return;
  for (;;) {
    ClientWish wish = host.client->poll_output(events_.now());
    if (auto* transmit = std::get_if<Transmit>(&wish)) {
      if (host.wire != 0) send(wires_.find(host.wire)->second, true, std::move(transmit->message));
    } else if (std::holds_alternative<CloseConnection>(wish)) {
      ++host.opening;
      if (host.wire != 0) close_from_client(std::exchange(host.wire, 0));
    } else if (std::holds_alternative<OpenConnection>(wish)) {
      open_wire(index);
    } else if (auto* records = std::get_if<StoreRecords>(&wish)) {
      host.writes.push_back(std::move(*records));
      write_disk(index);
    } else if (auto* notice = std::get_if<ClientNotice>(&wish)) {
      check_notice(index, std::move(*notice));
    } else {
      const TimePoint at = std::get<Deadline>(wish).at;
      if (at >= host.timer_at) return;
      host.timer_at = at;
      events_.at(at, [this, index, run = host.run, at] {
        ClientHost& late = clients_[index];
        if (!late.client || late.run != run || late.timer_at != at) return;
        late.timer_at = TimePoint::max();
        if (late.asleep_until > events_.now()) return;  // it is woken
        late.client->handle_timeout(events_.now());
        poll_client(index);
      });
      return;
    }
  }
}

// --- What must hold ----------------------------------------------------------------------------------------

void Simulation::check_update(std::size_t index, const TopicUpdated& updated) {
  ClientHost& host = clients_[index];
  const Position& position = updated.held.position;
  const Digest digest = digest_of(updated.held.snapshot->bytes());
  const auto has_version = [](const Known&) { return true; };
  if (find_known(position.epoch.value, position.version.value, has_version) == nullptr) {
    return violate("a client holds a version that the server never had");
  }
  const auto has_bytes = [&](const Known& known) { return known.digest == digest; };
  if (find_known(position.epoch.value, position.version.value, has_bytes) == nullptr) {
    return violate("a client holds other bytes than the server had at that version");
  }
  if (topic_names_[position.epoch.value] != updated.name) return violate("a client holds another topic's state");
  if (digest != position.digest) return violate("a client's digest is not that of its bytes");
  Position& before = host.seen[updated.name];
  const bool is_same = updated.wire_bytes == 0 && before == position;  // up to date after a reconnect
  if (before.epoch == position.epoch && before.version >= position.version && !is_same && !was_rolled_back_) {
    return violate("a version came twice or out of order");
  }
  before = position;
}

void Simulation::check_answer(std::size_t index, const ActionAnswered& answered) {
  const ClientHost& host = clients_[index];
  const auto at = host.tokens.find(answered.id.value);
  if (at == host.tokens.end()) return violate("an answer to no action");
  Token& token = tokens_[at->second];
  if (token.fate == Fate::kEnded || token.fate == Fate::kLost) return violate("an answer to an action that has ended");
  if (answered.result.status == ActionStatus::kRefused) {
    token.fate = Fate::kRefused;
    token.was_refused = true;
    return;
  }
  if (answered.result.status != ActionStatus::kAccepted) return violate("an answer that is none");
  if (token.was_refused) return violate("an action that was refused was accepted");
  token.fate = Fate::kAccepted;
  if (!ever_executed_.test(at->second)) return violate("an action was accepted and never executed");
  for (const auto& visible : answered.result.visible_at) {
    if (visible->version == 0) return violate("an effect is visible at no version");
    const auto has_topic = [&](const Known& known) { return known.topic == visible->topic; };
    const Known* known = find_known(visible->epoch, visible->version, has_topic);
    if (known == nullptr) continue;  // nobody was subscribed, so it was not sent
    if (topic_names_[visible->epoch] == "world" && !known->executed.test(at->second)) {
      return violate("an effect is not visible at the version that the result names");
    }
  }
}

void Simulation::check_notice(std::size_t index, ClientNotice notice) {
  ClientHost& host = clients_[index];
  if (const auto* updated = std::get_if<TopicUpdated>(&notice)) return check_update(index, *updated);
  if (const auto* answered = std::get_if<ActionAnswered>(&notice)) {
    trace("client " + std::to_string(index) + " action " + std::to_string(answered->id.value) + " answered " +
          std::to_string(static_cast<int>(answered->result.status)) + (answered->result.durable ? " durable" : ""));
    return check_answer(index, *answered);
  }
  if (const auto* stored = std::get_if<ActionStored>(&notice)) {
    Token& token = tokens_[host.tokens[stored->id.value]];
    token.fate = Fate::kStored;
    token.stored_at = events_.now();
    return;
  }
  if (const auto* ended = std::get_if<ActionEnded>(&notice)) {
    trace("client " + std::to_string(index) + " action " + std::to_string(ended->id.value) + " ended");
    const std::size_t number = host.tokens[ended->id.value];
    Token& token = tokens_[number];
    if (token.fate == Fate::kEnded) return violate("an action ended twice");
    if (token.fate == Fate::kStored && !token.was_refused) return violate("an action ended that was not answered");
    const auto state = disk_.find("game/state");
    const bool is_saved = state != disk_.end() && SimGame::tokens_of(state->second).test(number);
    if (token.fate == Fate::kAccepted && !is_saved && !was_store_lost_)
      return violate("an action ended that is not on disk");
    if (token.was_refused && is_saved) return violate("an action that was refused is on disk");
    token.fate = Fate::kEnded;
    return;
  }
  if (const auto* lost = std::get_if<ActionLost>(&notice)) {
    trace("client " + std::to_string(index) + " action " + std::to_string(lost->id.value) +
          " lost: " + lost->error.detail);
    tokens_[host.tokens[lost->id.value]].fate = Fate::kLost;
    if (!was_store_lost_) violate("an action was given up: " + lost->error.detail);
    return;
  }
  if (const auto* changed = std::get_if<StateChanged>(&notice)) {
    trace("client " + std::to_string(index) + " is " + std::to_string(static_cast<int>(changed->state)) + " " +
          changed->error.detail);
    if (changed->state == ConnectionState::kFailed) violate("a client gave up: " + changed->error.detail);
    // A later process may come with a secret that was replaced before it could be stored.
    if (changed->error.code == ErrorCode::kSessionRevoked && host.run == 0) violate("a client was taken for a thief");
    return;
  }
  if (const auto* ended = std::get_if<TopicEnded>(&notice)) {
    // The player's topic goes with the player; whoever is there asks for it again.
    trace("client " + std::to_string(index) + " loses " + ended->name);
    events_.after(200ms, [this, index, name = ended->name, run = host.run] {
      ClientHost& back = clients_[index];
      if (!back.client || back.run != run) return;
      back.client->subscribe(events_.now(), name);
      poll_client(index);
    });
  }
}

void Simulation::switch_network(std::size_t index, std::uint64_t run) {
  ClientHost& host = clients_[index];
  if (!is_awake(index) || host.run != run) return;
  host.client->suspend(events_.now());
  host.client->start(events_.now());
  poll_client(index);
}

bool Simulation::is_converged(std::string* why) const {
  const auto say = [why](const std::string& what) {
    if (why != nullptr) *why = what;
    return false;
  };
  if (!server_) return say("there is no server");
  std::map<std::string, Position> now;
  for (const server::TopicStats& topic : server_->room.take_stats().topics) now[topic.name] = topic.position;
  for (std::size_t i = 0; i < clients_.size(); ++i) {
    const std::string who = "client " + std::to_string(i);
    const ClientHost& host = clients_[i];
    if (!host.client) return say(who + " is not there");
    if (host.client->state() != ConnectionState::kLive) {
      return say(who + " is in state " + std::to_string(static_cast<int>(host.client->state())));
    }
    if (host.client->queued_actions() != 0) return say(who + " has actions that have not ended");
    for (const std::string& name : {std::string("world"), "player/" + host.user}) {
      const HeldState* held = host.client->held(name);
      if (held == nullptr) return say(who + " holds nothing of " + name);
      if (held->position != now[name]) return say(who + " holds an older version of " + name);
    }
  }
  for (std::size_t i = 0; i < kTokens; ++i) {
    const Token& token = tokens_[i];
    if (token.fate == Fate::kStored) return say("an action that was stored has not ended");
    const bool is_executed = server_->game.executed.test(i);
    if (token.was_refused && is_executed) return say("an action that was refused was executed");
    if (was_store_lost_) continue;
    if (token.fate == Fate::kEnded && !token.was_refused && !is_executed)
      return say("an action that ended was not executed");
  }
  return true;
}

// Whoever has had a connection for five seconds that nothing happened to has no action that waits longer.
void Simulation::check_progress() {
  const TimePoint now = events_.now();
  for (std::size_t i = 0; i < clients_.size(); ++i) {
    const ClientHost& host = clients_[i];
    if (!host.client || host.wire == 0 || host.asleep_until > TimePoint{}) continue;
    const Wire& wire = wires_.find(host.wire)->second;
    if (wire.was_touched || wire.server_run != server_run_ || !server_ || server_->is_stopping) continue;
    // What takes longer than a real network does is not the protocol's fault: a round trip of 800 ms, or many of them
    // for a long queue, of which a window is under way at a time.
    const Duration round_trip = 4 * schedule_.max_delay + 2 * schedule_.tick;
    const auto n_windows =
        static_cast<Duration::rep>(1 + host.client->queued_actions() / limits_.max_actions_in_flight);
    const TimePoint before = now - kSoon - n_windows * round_trip;
    if (wire.open_since > before) continue;
    if (host.client->state() != ConnectionState::kLive) return violate("a client is not live after five seconds");
    for (const auto& [number, other] : wires_) {
      if (other.client != i || number >= host.wire || !other.server_open || other.server_run != server_run_) continue;
      const Host* older = server_->shards[number % schedule_.n_shards]->find(number);
      if (older != nullptr && older->link->session().is_live())
        return violate("a connection that was replaced lives on");
    }
    const HeldState* held = host.client->held("world");
    const auto at = held == nullptr ? known_.end() : known_.find(held->position.epoch.value);
    if (at == known_.end()) return violate("a client holds nothing after five seconds");
    for (const Known& known : at->second) {
      if (known.published_at > before || was_rolled_back_) break;
      if (known.version > held->position.version.value) return violate("a client is more than five seconds behind");
    }
    if (store_works_from_ > before) continue;
    for (const auto& [id, number] : host.tokens) {
      const Token& token = tokens_[number];
      const bool is_waiting =
          token.fate == Fate::kStored || token.fate == Fate::kAccepted || token.fate == Fate::kRefused;
      if (is_waiting && token.stored_at < before) return violate("an action waits for more than five seconds");
    }
  }
}

void Simulation::violate(const std::string& what) {
  if (!outcome_.violation.empty()) return;
  trace("VIOLATION: " + what);
  outcome_.violation = what;
}

void Simulation::trace(const std::string& what) const {
  if (!traces_) return;
  const auto us = (events_.now().time_since_epoch() - Duration(1h)).count();
  std::printf("%3lld.%06lld %s\n", static_cast<long long>(us / 1'000'000), static_cast<long long>(us % 1'000'000),
              what.c_str());
}

// --- The schedule ------------------------------------------------------------------------------------------

void Simulation::apply(const Fault& fault) {
  trace(std::string("fault: ") + name_of(fault.kind));
  Random details(fault.chance);
  ClientHost& host = clients_[fault.client];
  const auto over = [this](TimePoint at) { last_fault_ = std::max(last_fault_, at); };
  const auto restart = [&] {
    const Duration away = details.pick(Duration(20ms), Duration(4s));
    over(events_.now() + away);
    restart_server(away);
  };
  over(events_.now());
  Wire* wire = host.wire == 0 ? nullptr : &wires_.find(host.wire)->second;
  switch (fault.kind) {
    case FaultKind::kCut:
      if (wire != nullptr) cut(*wire, details.next());
      return;
    case FaultKind::kStall:
    case FaultKind::kSlowReader: {
      if (wire == nullptr) return;
      wire->was_touched = true;
      const TimePoint until = events_.now() + details.pick(Duration(500ms), Duration(25s));
      (fault.kind == FaultKind::kStall && details.one_in(2) ? wire->up : wire->down).stalled_until = until;
      return over(until);
    }
    case FaultKind::kBentState:
      if (wire == nullptr) return;
      wire->was_touched = true;
      for (SharedBytes& message : wire->down.messages) {
        if (message_kind(*message) != MessageKind::kState) continue;
        auto bent = std::make_shared<Bytes>(*message);
        const std::size_t bit = details.pick(0, 31);
        (*bent)[bent->size() - 1 - bit / 8] ^= std::byte{1} << (bit % 8);
        message = std::move(bent);
        return;
      }
      return;
    case FaultKind::kClientCrash: {
      crash_client(fault.client);
      const Duration away = details.pick(Duration(10ms), Duration(3s));
      over(events_.now() + away);
      events_.after(away, [this, index = fault.client] {
        if (!clients_[index].client) start_client(index);
      });
      return;
    }
    case FaultKind::kClientSleep: {
      if (!host.client) return;
      if (wire != nullptr) wire->was_touched = true;
      host.asleep_until = std::max(host.asleep_until, events_.now() + details.pick(Duration(1s), Duration(40s)));
      over(host.asleep_until);
      events_.at(host.asleep_until, [this, index = fault.client, run = host.run] {
        ClientHost& awake = clients_[index];
        if (!awake.client || awake.run != run || awake.asleep_until > events_.now()) return;
        awake.asleep_until = TimePoint{};
        awake.client->handle_timeout(events_.now());
        awake.client->wake(events_.now());
        poll_client(index);
      });
      return;
    }
    case FaultKind::kServerCrash: crash_server(); return restart();
    case FaultKind::kServerStop: stop_server(); return restart();
    case FaultKind::kServerMove:
    case FaultKind::kServerRollback:
      crash_server();
      was_store_lost_ = true;
      if (fault.kind == FaultKind::kServerMove) {
        disk_.clear();
        gone_ = ever_executed_;
      } else {
        disk_ = old_disk_;
        // Versions of an epoch that was saved may come a second time, with other contents.
        was_rolled_back_ = true;
        gone_ = Tokens{};
        for (ClientHost& one : clients_) one.seen.clear();
      }
      return restart();
    case FaultKind::kWallClock:
      wall_offset_ms_ += static_cast<std::int64_t>(details.pick(0, 20ull * 24 * 3'600'000)) - 10ll * 24 * 3'600'000;
      return;
    case FaultKind::kDiskFull: {
      if (!server_) return;
      server_->store.is_failing = true;
      const TimePoint until = events_.now() + details.pick(Duration(200ms), Duration(5s));
      over(until);
      store_works_from_ = until + 3s;  // saving is tried once in a while, and so are actions
      events_.at(until, [this] {
        if (server_) server_->store.is_failing = false;
      });
      return;
    }
    case FaultKind::kSwitch:
      if (!is_awake(fault.client)) return;
      host.next_delay = details.pick(Duration(100ms), Duration(3s));
      over(events_.now() + host.next_delay);
      return switch_network(fault.client, host.run);
    case FaultKind::kGoAway: {
      Host* link =
          wire == nullptr || !server_ ? nullptr : server_->shards[host.wire % schedule_.n_shards]->find(host.wire);
      if (link == nullptr) return;
      link->link->go_away(events_.now(), details.pick(Duration(0), Duration(2s)), "for a change");
      return pump(host.wire);
    }
  }
}

Simulation::Simulation(const Schedule& schedule, bool traces)
    : schedule_(schedule), traces_(traces), limits_(limits_of(schedule)), random_(schedule.seed ^ 0x51f0) {}

Simulation::~Simulation() = default;

Outcome Simulation::run() {
  const TimePoint begin = events_.now();
  clients_.resize(schedule_.n_clients);
  start_server();
  for (std::size_t i = 0; i < clients_.size(); ++i) {
    clients_[i].user = std::string(1 + i % schedule_.n_users, 'u');
    start_client(i);
  }
  TimePoint quiet = begin;
  for (const Fault& fault : schedule_.faults) {
    events_.at(begin + fault.at, [this, fault] { apply(fault); });
    quiet = std::max(quiet, begin + fault.at);
  }
  for (const Act& one : schedule_.acts) {
    events_.at(begin + one.at, [this, index = one.client] { act(index); });
    quiet = std::max(quiet, begin + one.at);
  }
  events_.at(begin + (quiet - begin) / 3, [this] { old_disk_ = disk_; });
  last_fault_ = quiet;
  TimePoint next_check = begin;
  while (outcome_.violation.empty()) {
    events_.run_next();
    const TimePoint now = events_.now();
    if (now < next_check) continue;
    next_check = now + 250ms;
    check_progress();
    if (now <= last_fault_) continue;
    if (server_) server_->game.is_moving = false;
    if (is_converged(nullptr)) break;
    std::string why;
    if (now > last_fault_ + kInTheEnd && !is_converged(&why)) violate("no convergence: " + why);
  }
  if (server_) outcome_.executed = server_->game.executed.count();
  outcome_.simulated = events_.now() - begin;
  return outcome_;
}

}  // namespace libsync::sim
