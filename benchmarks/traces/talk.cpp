// talk.cpp: g: what people do: a chat of the last lines, a list of the last events, inventories in which one count
// changes, status texts with a number that advances. The bodies rest.
#include <algorithm>
#include <memory>
#include <string>

#include "games.h"
#include "genesis.h"

namespace libsync::traces {
namespace {

constexpr Census kTown = {765, 110, 36, 0, 60, 50};

class Talk final : public Workload {
 public:
  explicit Talk(std::uint64_t seed) : Workload(seed) { world_ = make_world(random_, kTown, Motion::kDouble); }

 private:
  void tick() override {
    for (int i = random_.between(0, 4); i > 0; --i) say();
    for (int i = random_.between(0, 4); i > 0; --i) report();
    for (int i = random_.between(5, 7); i > 0; --i) {
      auto& inventory = player().inventory;
      fb::Item& item = inventory[random_.below(static_cast<std::uint32_t>(inventory.size()))];
      const int count = std::max(1, item.count() + random_.step(6));
      item = fb::Item(item.kind(), static_cast<std::uint16_t>(count));
    }
    for (int i = random_.between(4, 6); i > 0; --i) advance_status(player().status);
  }

  // The oldest line goes, a new one comes.
  void say() {
    world_.chat.push_back(make_chat_line(random_, world_, world_.chat.back().id + 1));
    world_.chat.erase(world_.chat.begin());
  }
  void report() {
    world_.events.push_back(make_event(random_, world_, world_.events.back().id + 1));
    world_.events.erase(world_.events.begin());
  }

  // "mining 1234 of 10000 at ...": four digits become four digits.
  void advance_status(std::string& status) {
    const int done = std::stoi(status.substr(7, 4)) + random_.between(1, 25);
    status.replace(7, 4, std::to_string(done <= 9999 ? done : 1000));
  }

  Player& player() { return world_.players[random_.below(static_cast<std::uint32_t>(world_.players.size()))]; }
};

}  // namespace

std::unique_ptr<Workload> make_talk(std::uint64_t seed) { return std::make_unique<Talk>(seed); }

}  // namespace libsync::traces
