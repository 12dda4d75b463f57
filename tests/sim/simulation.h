// simulation.h: one schedule, run: clients, network, server and disks in one thread and in simulated time.
//
// Real: libsync::Client and what is below it; server::Room, Home, Link with ledger, registry, sessions, topics and
// broadcasters. Simulated: sockets (messages in order, with delay, cut at any byte), threads (mailboxes in which the
// messages of two senders arrive in any order), disks (what was not synced is lost with a crash), clocks, and the game.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "event_queue.h"
#include "home.h"
#include "libsync/client.h"
#include "link.h"
#include "room.h"
#include "schedule.h"
#include "sim_game.h"
#include "sim_random.h"
#include "sim_store.h"

namespace libsync::sim {

struct Outcome {
  std::string violation;  // empty: none
  std::uint64_t deliveries = 0;
  std::uint64_t executed = 0;
  Duration simulated{};
};

class Simulation {
 public:
  // `traces`: prints what happens to standard output.
  explicit Simulation(const Schedule& schedule, bool traces = false);
  ~Simulation();
  Simulation(const Simulation&) = delete;
  Simulation& operator=(const Simulation&) = delete;

  // Once.
  Outcome run();

 private:
  struct Direction {
    std::deque<SharedBytes> messages;
    std::size_t bytes = 0;
    TimePoint last_arrival{};
    TimePoint stalled_until{};
    bool is_broken = false;
  };
  // A connection. `number` is the server's.
  struct Wire {
    std::uint64_t number = 0;
    std::size_t client = 0;
    std::uint64_t server_run = 0;
    Direction up, down;
    bool client_open = false;
    bool server_open = false;
    bool was_touched = false;  // by a fault
    TimePoint open_since{};
  };
  struct Server;
  struct Host;
  // What the server had at a version. More than once only where an old copy of its store was put back.
  struct Known {
    std::uint64_t epoch = 0;
    std::uint32_t topic = 0;
    std::uint64_t version = 0;
    Digest digest;
    TimePoint published_at{};
    Tokens executed;  // of the world
  };
  enum class Fate : std::uint8_t { kNone, kStored, kAccepted, kRefused, kEnded, kLost };
  struct Token {
    Fate fate = Fate::kNone;
    bool was_refused = false;  // and the application knows
    TimePoint stored_at{};
  };
  struct ClientHost {
    std::string user;
    std::map<std::string, Bytes> disk;
    std::deque<StoreRecords> writes;
    std::optional<Client> client;
    std::uint64_t run = 0;      // of the process; 0: the first
    std::uint64_t wire = 0;     // 0: none
    std::uint64_t opening = 0;  // number of the attempt under way
    TimePoint asleep_until{};
    Duration next_delay{};  // what the next connection says arrives so much later
    TimePoint timer_at = TimePoint::max();
    std::size_t n_acted = 0;
    std::map<std::uint64_t, std::size_t> tokens;  // by ActionId
    std::map<std::string, Position> seen;         // of this process
  };

  // --- Clients.
  void start_client(std::size_t index);
  void crash_client(std::size_t index);
  void act(std::size_t index);
  void poll_client(std::size_t index);
  void open_wire(std::size_t index);
  void opened(std::size_t index, std::uint64_t number, const std::function<bool()>& is_wanted);
  void write_disk(std::size_t index);
  void switch_network(std::size_t index, std::uint64_t run);
  void check_notice(std::size_t index, ClientNotice notice);
  void check_update(std::size_t index, const TopicUpdated& updated);
  void check_answer(std::size_t index, const ActionAnswered& answered);
  bool is_awake(std::size_t index) const {
    return clients_[index].client && clients_[index].asleep_until <= events_.now();
  }

  // --- Network.
  void send(Wire& wire, bool up, SharedBytes message);
  void deliver(std::uint64_t number, bool up);
  void close_from_client(std::uint64_t number);
  void close_from_server(std::uint64_t number, CloseCode code);
  void tell_client(std::uint64_t number, CloseCode code);
  void tell_server(std::uint64_t number);
  void cut(Wire& wire, std::uint64_t chance);

  // --- Server.
  void start_server();
  void crash_server();
  void stop_server();
  void restart_server(Duration away);
  void tick();
  void post(std::size_t from, std::size_t to, std::function<void()> function);
  void deliver_to_shard(std::uint32_t shard, std::vector<server::RoomMessage> messages);
  void pump(std::uint64_t number);
  void end_link(std::uint64_t number);
  void record(const TopicUpdate& update);
  // The latest with this version that `fits`; null: none.
  template <typename Fits>
  const Known* find_known(std::uint64_t epoch, std::uint64_t version, Fits fits) const;

  // --- The schedule.
  void apply(const Fault& fault);
  void check_progress();
  bool is_converged(std::string* why) const;
  void violate(const std::string& what);
  void trace(const std::string& what) const;

  const Schedule schedule_;
  const bool traces_;
  Limits limits_;
  Random random_;
  EventQueue events_;
  server::Log log_;
  std::deque<ClientHost> clients_;
  std::map<std::uint64_t, Wire> wires_;
  std::uint64_t last_wire_ = 0;
  std::unique_ptr<Server> server_;
  std::vector<std::unique_ptr<Server>> crashed_;  // events may still name their parts
  std::uint64_t server_run_ = 0;
  DiskRecords disk_, old_disk_;
  std::int64_t wall_offset_ms_ = 0;
  std::unordered_map<std::uint64_t, std::vector<Known>> known_;  // by epoch, in the order of sending
  std::map<std::uint64_t, std::string> topic_names_;             // by epoch
  std::vector<Token> tokens_{kTokens};
  Tokens ever_executed_;
  Tokens gone_;
  bool was_store_lost_ = false;
  bool was_rolled_back_ = false;
  TimePoint last_fault_{};
  TimePoint store_works_from_{};
  Outcome outcome_;
};

}  // namespace libsync::sim
