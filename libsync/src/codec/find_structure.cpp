#include <algorithm>
#include <deque>
#include <utility>
#include <vector>

#include "codec/byte_tests.h"
#include "codec/coverage.h"
#include "codec/finish_structure.h"
#include "codec/stride.h"
#include "codec/structure.h"

namespace libsync::codec {
namespace {

// What a type and what a vtable costs, in bytes that are looked at.
constexpr std::int64_t kTypeCost = 64;
constexpr std::int64_t kVTableCost = 32;

// Finds objects from the root on: tables and what they refer to, at last strings and data, which have no mark of their
// own.
class Finder {
 public:
  explicit Finder(BytesView bytes)
      : view_(bytes),
        bytes_(bytes.data()),
        size_(static_cast<std::uint32_t>(bytes.size())),
        work_left_(static_cast<std::int64_t>(bytes.size()) + 4096),
        tests_(bytes, work_left_, schema_.shapes),
        coverage_(size_) {}

  Structure run() {
    new_type(Kind::kOther);
    new_type(Kind::kVTable);
    bool is_flatbuffer = find_all();
    drop_unused_shapes(schema_, found_);
    if (schema_.types.size() + schema_.shapes.size() > kMaxTags) is_flatbuffer = false;
    if (!is_flatbuffer) {
      schema_ = Schema{};
      new_type(Kind::kOther);
      new_type(Kind::kVTable);
      found_.assign(2, {});
      if (size_ > 0) found_[0].push_back({0, kOther, kNone});
    }
    Structure structure = finish_structure(view_, std::move(schema_), found_);
    structure.is_flatbuffer = is_flatbuffer;
    structure.is_mixed = is_mixed_;
    return structure;
  }

 private:
  static constexpr std::uint32_t kOther = 0;
  static constexpr std::uint32_t kVTables = 1;

  // From the root on. False: it is no FlatBuffer, or would cost too much.
  bool find_all() {
    const std::uint32_t root = size_ >= 8 ? load32(bytes_) : 0;
    if (root < 4 || !tests_.is_table(root)) return false;
    claim(0, kOther, kNone);
    coverage_.cover(0, 4);
    std::uint32_t type = kNone;
    claim_table(root, type);
    while (!queue_.empty() && work_left_ >= 0) {
      const std::uint32_t next = queue_.front();
      queue_.pop_front();
      look_at_new_tables(next);
    }
    decide_pending();
    return work_left_ >= 0;
  }

  std::uint32_t new_type(Kind kind) {
    if (kind != Kind::kOther && kind != Kind::kVTable) work_left_ -= kTypeCost;
    schema_.types.emplace_back().kind = kind;
    found_.resize(schema_.types.size());
    type_slots_.resize(schema_.types.size());
    new_slots_.resize(schema_.types.size());
    slots_with_.resize(schema_.types.size());
    return static_cast<std::uint32_t>(schema_.types.size() - 1);
  }

  void claim(std::uint32_t start, std::uint32_t type, std::uint32_t shape) {
    coverage_.claim(start);
    found_[type].push_back({start, type, shape});
  }

  // --- tables and vectors of references -------------------------------------------------------------------

  // Claims the table; `type` is the one that tables with vtables never seen before belong to, kNone: a new one.
  void claim_table(std::uint32_t start, std::uint32_t& type) {
    if (coverage_.is_claimed(start)) return;
    const std::uint32_t index = tests_.shape_of_table(start);
    Shape& shape = schema_.shapes[index];
    if (shape.type == kNone) {
      if (type == kNone) type = new_type(Kind::kTable);
      shape.type = type;
      work_left_ -= kVTableCost;
      schema_.types[type].shapes.push_back(index);
      type_slots_[type].push_back({{}, 0, shape.present});
      shape_slot_.resize(schema_.shapes.size());
      shape_slot_[index] = static_cast<std::uint32_t>(schema_.types[type].shapes.size() - 1);
      std::vector<SlotList>& with = slots_with_[type];
      if (with.size() < shape.offsets.size()) with.resize(shape.offsets.size());
      for (const std::uint32_t field : shape.present) add_slot(with[field], shape_slot_[index]);
      const std::uint32_t position = tests_.position_of(index);
      if (!coverage_.is_claimed(position)) {
        claim(position, kVTables, index);
        coverage_.cover(position, position + shape.size);
      }
    } else if (type == kNone) {
      type = shape.type;
    }
    is_mixed_ = is_mixed_ || type != shape.type;
    claim(start, shape.type, index);
    const std::uint32_t slot_index = shape_slot_[index];
    Slot& slot = type_slots_[shape.type][slot_index];
    if (slot.tables.size() == slot.done) {
      if (new_slots_[shape.type].empty()) queue_.push_back(shape.type);
      new_slots_[shape.type].push_back(slot_index);
    }
    slot.tables.push_back(start);
    work_left_ -= shape.table_size / 4;  // for its lanes
    coverage_.cover(start, start + shape.table_size);
  }
  void claim_text(std::uint32_t start, std::uint32_t& type) {
    if (coverage_.is_claimed(start)) return;
    if (type == kNone) type = new_type(Kind::kText);
    claim(start, type, kNone);
    coverage_.cover(start, std::uint64_t{start} + 5 + load32(bytes_ + start));
  }
  void claim_references(std::uint32_t start, std::uint32_t& type, bool texts) {
    if (coverage_.is_claimed(start)) return;
    if (type == kNone) type = new_type(Kind::kReferences);
    claim(start, type, kNone);
    const std::uint32_t count = load32(bytes_ + start);
    coverage_.cover(start, std::uint64_t{start} + 4 + 4 * std::uint64_t{count});
    std::uint32_t element = schema_.types[type].element;
    for (std::uint32_t i = 0; i < count && work_left_ >= 0; ++i) {
      const std::uint32_t target = tests_.target_of(start + 4 + 4 * i);
      if (texts) {
        claim_text(target, element);
      } else {
        claim_table(target, element);
      }
    }
    schema_.types[type].element = element;
  }

  // The tables of a type that have one of its vtables.
  struct Slot {
    std::vector<std::uint32_t> tables;  // starts, as found
    std::size_t done = 0;               // of these, their references were followed
    std::vector<std::uint16_t> open;    // fields that may still be references
  };

  // Places in a type's shapes, as added: all lists are in listed_, which has room for many where a vector each would
  // allocate for one or two.
  struct SlotList {
    std::uint32_t first = kNone, last = kNone;  // in listed_
  };
  struct ListedSlot {
    std::uint32_t slot;
    std::uint32_t next;  // in listed_, or kNone
  };
  void add_slot(SlotList& list, std::uint32_t slot) {
    const auto index = static_cast<std::uint32_t>(listed_.size());
    listed_.push_back({slot, kNone});
    (list.last == kNone ? list.first : listed_[list.last].next) = index;
    list.last = index;
  }

  // Where a reference may be: its place, or kNone.
  std::uint32_t lane_at(const Shape& shape, std::uint32_t table, std::uint32_t field) {
    --work_left_;
    const std::uint32_t position = table + shape.offsets[field];
    return shape.widths[field] >= 4 && position % 4 == 0 && tests_.target_of(position) != kNone ? position : kNone;
  }
  // Fills lanes_ with the places of a field in all tables of a type that have it, vtable by vtable, as found. False: in
  // one of them it can be no reference.
  bool all_lanes_of(std::uint32_t type, std::uint32_t field) {
    lanes_.clear();
    for (std::uint32_t i = slots_with_[type][field].first; i != kNone; i = listed_[i].next) {
      const std::uint32_t slot = listed_[i].slot;
      const Shape& shape = schema_.shapes[schema_.types[type].shapes[slot]];
      for (const std::uint32_t table : type_slots_[type][slot].tables) {
        const std::uint32_t lane = lane_at(shape, table, field);
        if (lane == kNone) return false;
        lanes_.push_back(lane);
      }
    }
    return true;
  }
  // The same in the tables that were not looked at before, for all fields at once: into new_lanes_, by field. Returns
  // the fields that have any, ascending. A field that can be no reference where it is looked at first becomes a scalar.
  std::vector<std::uint32_t> collect_new_lanes(std::uint32_t type) {
    std::vector<std::uint32_t> touched;
    std::vector<std::uint32_t> slots;
    slots.swap(new_slots_[type]);
    std::sort(slots.begin(), slots.end());
    std::vector<Field>& fields = schema_.types[type].fields;
    if (new_lanes_.size() < fields.size()) new_lanes_.resize(fields.size());
    for (const std::uint32_t slot_index : slots) {
      Slot& slot = type_slots_[type][slot_index];
      const Shape& shape = schema_.shapes[schema_.types[type].shapes[slot_index]];
      for (; slot.done < slot.tables.size() && work_left_ >= 0; ++slot.done) {
        std::erase_if(slot.open, [&](std::uint16_t field) {
          FieldKind& kind = fields[field].kind;
          if (kind == FieldKind::kScalar || kind == FieldKind::kPending) return true;
          const std::uint32_t lane = lane_at(shape, slot.tables[slot.done], field);
          if (lane == kNone) {
            if (kind != FieldKind::kUndecided) return false;
            kind = FieldKind::kScalar;
            return true;
          }
          if (new_lanes_[field].empty()) touched.push_back(field);
          new_lanes_[field].push_back(lane);
          return false;
        });
      }
    }
    std::sort(touched.begin(), touched.end());
    return touched;
  }
  template <typename Test>
  bool all_targets(Test test) {
    return std::all_of(lanes_.begin(), lanes_.end(), [&](std::uint32_t lane) { return test(tests_.target_of(lane)); });
  }
  FieldKind decide() {
    bool is_some = false;
    if (all_targets([&](std::uint32_t at) { return tests_.is_references(at, false, is_some); }) && is_some) {
      return FieldKind::kTables;
    }
    is_some = false;
    if (all_targets([&](std::uint32_t at) { return tests_.is_references(at, true, is_some); }) && is_some) {
      return FieldKind::kTexts;
    }
    if (all_targets([&](std::uint32_t at) { return tests_.is_table(at); })) return FieldKind::kTable;
    return FieldKind::kPending;
  }

  // Follows the references of those tables of a type that were found since the last time.
  void look_at_new_tables(std::uint32_t type) {
    const std::size_t n_fields = slots_with_[type].size();
    if (schema_.types[type].fields.size() < n_fields) schema_.types[type].fields.resize(n_fields);
    // What was found to refer to single tables waits: a number may lead to one by chance, mostly to one of many that a
    // vector has, which is then known to be of their type.
    std::vector<std::pair<std::uint32_t, std::vector<std::uint32_t>>> waiting;  // fields, their lanes
    // Tables that this very look finds wait for the next one.
    for (const std::uint32_t field : collect_new_lanes(type)) {
      lanes_.clear();
      lanes_.swap(new_lanes_[field]);
      FieldKind& kind = schema_.types[type].fields[field].kind;
      if (kind == FieldKind::kScalar || work_left_ < 0) continue;
      const bool is_first = kind == FieldKind::kUndecided;
      if (is_first) kind = decide();
      if (kind == FieldKind::kPending) continue;
      if (is_first && kind == FieldKind::kTable) {
        waiting.emplace_back(field, std::move(lanes_));
      } else {
        claim_targets(type, field, is_first, lanes_);
      }
    }
    for (const auto& [field, lanes] : waiting) claim_targets(type, field, true, lanes);
  }
  // `is_first`: all have passed the test of the field's kind.
  void claim_targets(std::uint32_t type, std::uint32_t field, bool is_first, const std::vector<std::uint32_t>& lanes) {
    auto [kind, child] = schema_.types[type].fields[field];
    for (const std::uint32_t lane : lanes) {
      const std::uint32_t target = tests_.target_of(lane);
      bool is_some = false;
      if (kind == FieldKind::kTable) {
        if (is_first || tests_.is_table(target)) claim_table(target, child);
      } else {
        const bool texts = kind == FieldKind::kTexts;
        if (is_first || tests_.is_references(target, texts, is_some)) claim_references(target, child, texts);
      }
    }
    schema_.types[type].fields[field].child = child;
  }

  // --- strings and vectors of data ------------------------------------------------------------------------

  struct Candidate {
    std::uint32_t type;
    std::uint32_t field;
    std::vector<std::uint32_t> targets;
    bool is_text = true;
    // Few and without a mark of their own: only where nothing else is.
    bool is_weak = false;
    std::uint32_t child = kNone;

    int order() const { return is_weak ? 2 : is_text ? 0 : 1; }
  };

  void decide_pending() {
    std::vector<Candidate> candidates = find_candidates();
    std::stable_sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
      return a.order() != b.order() ? a.order() < b.order() : a.targets.size() > b.targets.size();
    });
    bool is_covered_by_data = false;
    for (Candidate& candidate : candidates) {
      if (candidate.is_weak && !is_covered_by_data) {
        is_covered_by_data = true;
        for (const Candidate& data : candidates) {
          if (data.child != kNone && !data.is_text) cover_data(data.child);
        }
      }
      if (work_left_ < 0) return;
      const std::vector<std::uint32_t>& targets = candidate.targets;
      if (std::all_of(targets.begin(), targets.end(), [&](std::uint32_t at) { return fits(at); })) take(candidate);
    }
  }
  std::vector<Candidate> find_candidates() {
    std::vector<Candidate> candidates;
    for (std::uint32_t type = 0; type < schema_.types.size(); ++type) {
      for (std::uint32_t field = 0; field < schema_.types[type].fields.size(); ++field) {
        FieldKind& kind = schema_.types[type].fields[field].kind;
        if (kind != FieldKind::kPending) continue;
        kind = FieldKind::kScalar;
        if (all_lanes_of(type, field)) candidates.push_back(candidate_of(type, field));
      }
    }
    return candidates;
  }
  // Requires: lanes_ are those of the field.
  Candidate candidate_of(std::uint32_t type, std::uint32_t field) {
    Candidate candidate{type, field, {}};
    std::uint32_t longest = 0;
    for (const std::uint32_t lane : lanes_) {
      const std::uint32_t target = tests_.target_of(lane);
      candidate.targets.push_back(target);
      candidate.is_text = candidate.is_text && tests_.is_text(target);
      longest = std::max(longest, load32(bytes_ + target));
    }
    candidate.is_weak = candidate.targets.size() < 4 && (!candidate.is_text || longest < 4);
    return candidate;
  }
  void take(Candidate& candidate) {
    candidate.child = new_type(candidate.is_text ? Kind::kText : Kind::kData);
    Field& field = schema_.types[candidate.type].fields[candidate.field];
    field = {candidate.is_text ? FieldKind::kText : FieldKind::kData, candidate.child};
    for (const std::uint32_t target : candidate.targets) {
      if (candidate.is_text) {
        claim_text(target, candidate.child);
      } else if (!coverage_.is_claimed(target)) {
        claim(target, candidate.child, kNone);
        coverage_.cover(target, target + 4);
      }
    }
  }
  // Whether a string or vector of at least one byte per element can be here.
  bool fits(std::uint32_t start) const {
    const std::uint32_t count = load32(bytes_ + start);
    return count <= size_ - start - 4 && !coverage_.is_covered(start) &&
           (count == 0 || !coverage_.is_covered(start + 3 + count));
  }
  void cover_data(std::uint32_t type) {
    std::vector<std::uint32_t> starts;
    for (const Found& vector : found_[type]) starts.push_back(vector.start);
    const std::uint32_t stride = stride_of(bytes_, starts, [&](std::size_t i) {
      const std::uint32_t start = starts[i];
      const std::uint64_t most =
          std::min<std::uint64_t>(size_, std::uint64_t{start} + 4 + std::uint64_t{kMaxStride} * load32(bytes_ + start));
      std::uint64_t end = std::uint64_t{start} + 4;
      while (end < most && !coverage_.is_covered(static_cast<std::uint32_t>(end))) end += 4;
      work_left_ -= static_cast<std::int64_t>(end - start) / 16;
      return static_cast<std::uint32_t>(std::min<std::uint64_t>(end, size_)) - start - 4;
    });
    for (const std::uint32_t start : starts)
      coverage_.cover(start, std::uint64_t{start} + 4 + std::uint64_t{stride} * load32(bytes_ + start));
  }

  BytesView view_;
  const std::byte* bytes_;  // of it
  std::uint32_t size_;
  std::int64_t work_left_;
  Schema schema_;
  ByteTests tests_;
  Coverage coverage_;
  bool is_mixed_ = false;                              // Structure::is_mixed
  std::vector<std::vector<Found>> found_;              // [types]
  std::vector<std::vector<Slot>> type_slots_;          // [types][shapes of it]
  std::vector<std::vector<std::uint32_t>> new_slots_;  // [types] those with tables that were not looked at
  std::vector<std::vector<std::uint32_t>> new_lanes_;  // [fields] of the look at hand
  std::vector<std::vector<SlotList>> slots_with_;      // [types][fields] the shapes that have the field
  std::vector<ListedSlot> listed_;
  std::vector<std::uint32_t> shape_slot_;  // [shapes] places in their types' shapes
  std::deque<std::uint32_t> queue_;        // types with tables that were not looked at
  std::vector<std::uint32_t> lanes_;
};

}  // namespace

Structure find_structure(BytesView bytes) { return Finder(bytes).run(); }

}  // namespace libsync::codec
