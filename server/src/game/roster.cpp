#include "game/roster.h"

#include "libsync/result.h"

namespace libsync::server {

Roster::Entry* Roster::find(std::string_view user) {
  const auto at = known_.find(user);
  return at != known_.end() ? &at->second : nullptr;
}

const Roster::Entry* Roster::find(std::string_view user) const {
  const auto at = known_.find(user);
  return at != known_.end() ? &at->second : nullptr;
}

Roster::Entry& Roster::add(Player player) {
  const std::string user = player.state().user;
  const auto [at, added] = known_.try_emplace(user, std::move(player));
  SYNC_ASSERT(added);
  Entry& entry = at->second;
  entry.left_order = next_left_order_++;
  away_.emplace(entry.left_order, user);
  if (entry.player.state().research_running != 0) note_research(entry.player);
  return entry;
}

void Roster::set_online(Entry& entry, bool online) {
  if (entry.online == online) return;
  const std::string& user = entry.player.state().user;
  entry.online = online;
  if (online) {
    away_.erase(entry.left_order);
    online_.insert(user);
  } else {
    online_.erase(user);
    entry.left_order = next_left_order_++;
    away_.emplace(entry.left_order, user);
    entry.snapshot = Bytes();
  }
  forget_beyond_bound();
}

void Roster::note_research(const Player& player) {
  research_ends_.emplace(player.state().research_done_at_ms, player.state().user);
}

void Roster::finish_research(std::uint64_t now_ms) {
  while (!research_ends_.empty() && research_ends_.begin()->first <= now_ms) {
    Entry* entry = find(research_ends_.begin()->second);
    research_ends_.erase(research_ends_.begin());
    SYNC_ASSERT(entry != nullptr);
    entry->player.finish_research();
    entry->snapshot.clear();
  }
}

void Roster::forget_beyond_bound() {
  while (known_.size() > max_players_ && !away_.empty()) {
    const auto oldest = away_.begin();
    const auto at = known_.find(oldest->second);
    const Player::Saved& state = at->second.player.state();
    if (state.research_running != 0) research_ends_.erase({state.research_done_at_ms, state.user});
    known_.erase(at);
    away_.erase(oldest);
  }
}

}  // namespace libsync::server
