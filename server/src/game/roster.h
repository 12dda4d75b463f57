// roster.h: the players the game knows, who of them is here, and whose research ends when.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "game/player.h"
#include "libsync/types.h"

namespace libsync::server {

class Roster {
 public:
  struct Entry {
    explicit Entry(Player p) : player(std::move(p)) {}

    Player player;
    bool online = false;
    std::uint64_t left_order = 0;                // among those who are away; lower left earlier
    std::optional<std::uint64_t> save_tick;      // a save that this player asked for and that has not ended
    std::optional<std::uint64_t> save_asked_ms;  // game time of the last one
    Bytes snapshot;                              // of the player topic; empty: to be built
  };

  // Beyond `max_players` the one who has been away longest is forgotten; his bodies stay. Players who are here are
  // never forgotten: how many those are is the shell's bound.
  explicit Roster(std::size_t max_players) : max_players_(max_players) {}

  // Null if not known.
  Entry* find(std::string_view user);
  const Entry* find(std::string_view user) const;
  // Adds somebody who is away. Requires: not known yet.
  Entry& add(Player player);
  void set_online(Entry& entry, bool online);

  // To be called whenever a player's research has started. Ends nothing by itself.
  void note_research(const Player& player);
  // Ends the research that is due at `now_ms`, in order of time, then of user.
  void finish_research(std::uint64_t now_ms);

  const std::map<std::string, Entry, std::less<>>& all() const { return known_; }
  const std::set<std::string>& online() const { return online_; }

 private:
  void forget_beyond_bound();

  std::size_t max_players_;
  std::map<std::string, Entry, std::less<>> known_;
  std::set<std::string> online_;
  std::map<std::uint64_t, std::string> away_;                      // by left_order
  std::set<std::pair<std::uint64_t, std::string>> research_ends_;  // game time, user
  std::uint64_t next_left_order_ = 1;
};

}  // namespace libsync::server
