#include "field_delta.h"

#include <algorithm>
#include <cstring>
#include <unordered_map>
#include <vector>

#include "each_field.h"

namespace libsync::traces {
namespace {

std::uint64_t varint_bytes(std::uint64_t value) {
  std::uint64_t count = 1;
  for (; value >= 0x80; value >>= 7) ++count;
  return count;
}

// Counts numbers, each sent as the distance from the one before.
class Gaps {
 public:
  std::uint64_t skip_to(std::uint64_t number) {
    const std::uint64_t bytes = varint_bytes(number - next_);
    next_ = number + 1;
    return bytes;
  }

 private:
  std::uint64_t next_ = 0;
};

// Adds up what changed between two states of the same fields.
class Changes {
 public:
  explicit Changes(FieldDelta& total) : total_(total) {}

  template <typename T>
  void operator()(const T& a, const T& b) {
    if (std::memcmp(&a, &b, sizeof(T)) != 0) changed(field_bytes(&a, 1), field_bytes(&b, 1), 0);
    ++number_;
  }
  void operator()(const std::string& a, const std::string& b) {
    if (a != b) changed(field_bytes(a.data(), a.size()), field_bytes(b.data(), b.size()), varint_bytes(b.size()));
    ++number_;
  }
  void operator()(const FieldBytes& a, const FieldBytes& b) {
    if (!std::ranges::equal(a, b)) changed(a, b, varint_bytes(b.size()));
    ++number_;
  }

 private:
  void changed(FieldBytes a, FieldBytes b, std::uint64_t length_bytes) {
    const std::uint64_t gap_bytes = gaps_.skip_to(number_);
    total_.bytes += gap_bytes + length_bytes + b.size();
    total_.differing_bytes += gap_bytes + (a.size() == b.size() ? 0 : length_bytes);
    for (std::size_t i = 0; i < b.size(); ++i) total_.differing_bytes += i >= a.size() || a[i] != b[i];
  }

  FieldDelta& total_;
  Gaps gaps_;
  std::uint64_t number_ = 0;
};

// Adds up all fields of an entity.
class Width {
 public:
  explicit Width(std::uint64_t& bytes) : bytes_(bytes) {}

  template <typename T>
  void operator()(const T&, const T&) {
    bytes_ += sizeof(T);
  }
  void operator()(const std::string&, const std::string& b) { bytes_ += varint_bytes(b.size()) + b.size(); }
  void operator()(const FieldBytes&, const FieldBytes& b) { bytes_ += varint_bytes(b.size()) + b.size(); }

 private:
  std::uint64_t& bytes_;
};

template <typename Entity>
bool same_ids(const std::vector<Entity>& before, const std::vector<Entity>& after) {
  return std::ranges::equal(before, after, {}, &Entity::id, &Entity::id);
}

// What was created and removed, and the order of the rest, which is appended to `pairs` as (old, new).
template <typename Entity>
void match(const std::vector<Entity>& before, const std::vector<Entity>& after, Motion motion, FieldDelta& total,
           std::vector<std::pair<const Entity*, const Entity*>>& pairs) {
  std::unordered_map<std::uint32_t, const Entity*> created;
  for (const Entity& entity : after) created.emplace(entity.id, &entity);
  std::unordered_map<std::uint32_t, std::uint64_t> old_position;
  std::vector<std::uint32_t> old_order;
  std::uint64_t sent = 0;
  Gaps removed_gaps;
  for (const Entity& entity : before) {
    const auto found = created.find(entity.id);
    if (found == created.end()) {
      sent += removed_gaps.skip_to(static_cast<std::uint64_t>(&entity - before.data()));
      continue;
    }
    pairs.emplace_back(&entity, found->second);
    old_position.emplace(entity.id, old_order.size());
    old_order.push_back(entity.id);
    created.erase(found);
  }
  Gaps created_gaps, order_gaps;
  std::size_t position = 0;
  for (const Entity& entity : after) {
    if (created.contains(entity.id)) {
      sent += created_gaps.skip_to(static_cast<std::uint64_t>(&entity - after.data()));
      Width width(sent);
      each_field(entity, entity, motion, width);
      continue;
    }
    if (old_order[position] != entity.id) {
      sent += order_gaps.skip_to(position) + varint_bytes(old_position[entity.id]);
    }
    ++position;
  }
  total.bytes += sent;
  total.differing_bytes += sent;
}

template <typename Entity>
void compare(const std::vector<Entity>& before, const std::vector<Entity>& after, Motion motion, Changes& changes,
             FieldDelta& total) {
  if (same_ids(before, after)) {
    for (std::size_t i = 0; i < before.size(); ++i) each_field(before[i], after[i], motion, changes);
    return;
  }
  std::vector<std::pair<const Entity*, const Entity*>> pairs;
  match(before, after, motion, total, pairs);
  for (const auto& [old_entity, new_entity] : pairs) each_field(*old_entity, *new_entity, motion, changes);
}

}  // namespace

FieldDelta field_delta(const World& before, const World& after) {
  FieldDelta total;
  Changes changes(total);
  changes(before.tick, after.tick);
  changes(before.time_ms, after.time_ms);
  each_component(before.viewer, after.viewer, Motion::kFloat, changes);
  compare(before.bodies, after.bodies, after.motion, changes, total);
  compare(before.players, after.players, after.motion, changes, total);
  compare(before.research, after.research, after.motion, changes, total);
  compare(before.events, after.events, after.motion, changes, total);
  compare(before.chat, after.chat, after.motion, changes, total);
  for (std::size_t i = 0; i < after.cubes.size(); ++i) {
    each_field(before.cubes[i], after.cubes[i], after.motion, changes);
  }
  return total;
}

}  // namespace libsync::traces
