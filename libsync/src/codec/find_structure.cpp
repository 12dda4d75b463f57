#include "codec/structure.h"

#include <algorithm>
#include <cstring>
#include <deque>
#include <numeric>
#include <unordered_map>

namespace libsync::codec {
namespace {

constexpr std::uint32_t kMaxStride = 256;
// What a type and what a vtable costs, in bytes that are looked at.
constexpr std::int64_t kTypeCost = 64;
constexpr std::int64_t kVTableCost = 32;

class Finder {
 public:
  explicit Finder(BytesView bytes)
      : bytes_(bytes.data()),
        size_(static_cast<std::uint32_t>(bytes.size())),
        work_left_(static_cast<std::int64_t>(bytes.size()) + 4096),
        claimed_(bytes.size() / 128 + 1),
        covered_(bytes.size() / 256 + 1) {}

  Structure run() {
    out_.size_bytes = size_;
    new_type(Kind::kOther);
    new_type(Kind::kVTable);
    const std::uint32_t root = size_ >= 8 ? load32(bytes_) : 0;
    if (root >= 4 && is_table(root)) {
      claim(0, kOther, kNone);
      cover(0, 4);
      std::uint32_t type = kNone;
      claim_table(root, type);
      while (!queue_.empty() && work_left_ >= 0) {
        const std::uint32_t next = queue_.front();
        queue_.pop_front();
        look_at_new_tables(next);
      }
      decide_pending();
      out_.is_flatbuffer = work_left_ >= 0;
    }
    drop_unused_shapes();
    if (schema_.types.size() + schema_.shapes.size() > kMaxTags) out_.is_flatbuffer = false;
    if (!out_.is_flatbuffer) {
      schema_ = Schema{};
      new_type(Kind::kOther);
      new_type(Kind::kVTable);
      found_.assign(2, {});
      if (size_ > 0) found_[0].push_back({0, kOther, kNone});
    }
    finish();
    return std::move(out_);
  }

 private:
  static constexpr std::uint32_t kOther = 0;
  static constexpr std::uint32_t kVTables = 1;
  std::uint32_t new_type(Kind kind) {
    if (kind != Kind::kOther && kind != Kind::kVTable) work_left_ -= kTypeCost;
    schema_.types.emplace_back().kind = kind;
    found_.resize(schema_.types.size());
    type_slots_.resize(schema_.types.size());
    new_slots_.resize(schema_.types.size());
    shapes_with_.resize(schema_.types.size());
    return static_cast<std::uint32_t>(schema_.types.size() - 1);
  }

  // --- which bytes are spoken for -------------------------------------------------------------------------

  bool is_claimed(std::uint32_t start) const { return (claimed_[start / 128] >> (start / 2 % 64) & 1) != 0; }
  void claim(std::uint32_t start, std::uint32_t type, std::uint32_t shape) {
    claimed_[start / 128] |= std::uint64_t{1} << (start / 2 % 64);
    found_[type].push_back({start, type, shape});
  }
  bool is_covered(std::uint32_t position) const { return (covered_[position / 256] >> (position / 4 % 64) & 1) != 0; }
  // Whole words from the first that begins at or after `begin`, up to the one that holds the last byte.
  void cover(std::uint32_t begin, std::uint64_t end) {
    end = std::min<std::uint64_t>(end, size_);
    for (std::uint64_t word = (std::uint64_t{begin} + 3) / 4; word < (end + 3) / 4; ++word) {
      covered_[word / 64] |= std::uint64_t{1} << (word % 64);
    }
  }

  // --- what bytes could be --------------------------------------------------------------------------------

  // Index of the shape, or kNone.
  std::uint32_t shape_at(std::uint32_t position) {
    const auto [known, is_new] = shape_index_.try_emplace(position, kNone);
    if (!is_new) return known->second;
    if (size_ - position < 4) return kNone;
    const std::uint32_t size = load16(bytes_ + position);
    if (size > size_ - position) return kNone;
    std::uint32_t n_read = 0;
    std::optional<Shape> shape = read_shape({bytes_ + position, size}, n_read);
    work_left_ -= n_read;
    if (!shape) return kNone;
    shape_positions_.push_back(position);
    known->second = static_cast<std::uint32_t>(schema_.shapes.size());
    schema_.shapes.push_back(std::move(*shape));
    return known->second;
  }
  std::uint32_t shape_of_table(std::uint32_t start) {
    if (start % 4 != 0 || start >= size_ || size_ - start < 4) return kNone;
    const std::uint32_t vtable = start - load32(bytes_ + start);
    if (vtable % 2 != 0 || vtable >= size_) return kNone;
    const std::uint32_t shape = shape_at(vtable);
    return shape != kNone && schema_.shapes[shape].table_size <= size_ - start ? shape : kNone;
  }
  bool is_table(std::uint32_t start) { return shape_of_table(start) != kNone; }

  bool is_text(std::uint32_t start) {
    if (start % 4 != 0 || start >= size_ || size_ - start < 5) return false;
    const std::uint32_t length = load32(bytes_ + start);
    if (length > size_ - start - 5 || bytes_[start + 4 + length] != std::byte{0}) return false;
    work_left_ -= length / 8;
    return std::memchr(bytes_ + start + 4, 0, length) == nullptr;
  }
  // A vector whose elements all refer to tables, or all to strings. `is_some` is set if it has any.
  bool is_references(std::uint32_t start, bool texts, bool& is_some) {
    if (start % 4 != 0 || start >= size_ || size_ - start < 4) return false;
    const std::uint32_t count = load32(bytes_ + start);
    if (count > (size_ - start - 4) / 4) return false;
    const std::uint8_t mark = texts ? 2 : 1;
    const auto known = known_references_.find(start);
    if (known != known_references_.end() && (known->second & mark) != 0) {
      is_some = true;
      return true;
    }
    for (std::uint32_t i = 0; i < count; ++i) {
      if (--work_left_ < 0) return false;
      const std::uint32_t target = target_of(start + 4 + 4 * i);
      if (target == kNone || !(texts ? is_text(target) : is_table(target))) return false;
    }
    if (count > 0) {
      known_references_[start] |= mark;
      is_some = true;
    }
    return true;
  }
  // Where the reference at `position` leads, or kNone if it can be none. Requires: position + 4 <= size.
  std::uint32_t target_of(std::uint32_t position) const {
    const std::uint32_t offset = load32(bytes_ + position);
    if (offset < 4 || offset > size_ - position - 4) return kNone;
    return (position + offset) % 4 == 0 ? position + offset : kNone;
  }

  // --- tables and vectors of references -------------------------------------------------------------------

  // Claims the table; `type` is the one that tables with vtables never seen before belong to, kNone: a new one.
  void claim_table(std::uint32_t start, std::uint32_t& type) {
    if (is_claimed(start)) return;
    const std::uint32_t index = shape_of_table(start);
    Shape& shape = schema_.shapes[index];
    if (shape.type == kNone) {
      if (type == kNone) type = new_type(Kind::kTable);
      shape.type = type;
      work_left_ -= kVTableCost;
      schema_.types[type].shapes.push_back(index);
      type_slots_[type].push_back({{}, 0, shape.present});
      shape_slot_[index] = static_cast<std::uint32_t>(schema_.types[type].shapes.size() - 1);
      for (const std::uint32_t field : shape.present) {
        std::vector<std::vector<std::uint32_t>>& with = shapes_with_[type];
        if (with.size() <= field) with.resize(field + 1);
        with[field].push_back(shape_slot_[index]);
      }
      const std::uint32_t position = shape_positions_[index];
      if (!is_claimed(position)) {
        claim(position, kVTables, index);
        cover(position, position + shape.size);
      }
    } else if (type == kNone) {
      type = shape.type;
    }
    out_.is_mixed = out_.is_mixed || type != shape.type;
    claim(start, shape.type, index);
    const std::uint32_t slot_index = shape_slot_[index];
    Slot& slot = type_slots_[shape.type][slot_index];
    if (slot.tables.size() == slot.done) {
      if (new_slots_[shape.type].empty()) queue_.push_back(shape.type);
      new_slots_[shape.type].push_back(slot_index);
    }
    slot.tables.push_back(start);
    work_left_ -= shape.table_size / 4;  // for its lanes
    cover(start, start + shape.table_size);
  }
  void claim_text(std::uint32_t start, std::uint32_t& type) {
    if (is_claimed(start)) return;
    if (type == kNone) type = new_type(Kind::kText);
    claim(start, type, kNone);
    cover(start, std::uint64_t{start} + 5 + load32(bytes_ + start));
  }
  void claim_references(std::uint32_t start, std::uint32_t& type, bool texts) {
    if (is_claimed(start)) return;
    if (type == kNone) type = new_type(Kind::kReferences);
    claim(start, type, kNone);
    const std::uint32_t count = load32(bytes_ + start);
    cover(start, std::uint64_t{start} + 4 + 4 * std::uint64_t{count});
    std::uint32_t element = schema_.types[type].element;
    for (std::uint32_t i = 0; i < count && work_left_ >= 0; ++i) {
      const std::uint32_t target = target_of(start + 4 + 4 * i);
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

  // Where a reference may be: its place, or kNone.
  std::uint32_t lane_at(const Shape& shape, std::uint32_t table, std::uint32_t field) {
    --work_left_;
    const std::uint32_t position = table + shape.offsets[field];
    return shape.widths[field] >= 4 && position % 4 == 0 && target_of(position) != kNone ? position : kNone;
  }
  // Fills lanes_ with the places of a field in all tables of a type that have it, vtable by vtable, as found. False: in
  // one of them it can be no reference.
  bool all_lanes_of(std::uint32_t type, std::uint32_t field) {
    lanes_.clear();
    for (const std::uint32_t slot : shapes_with_[type][field]) {
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
    return std::all_of(lanes_.begin(), lanes_.end(), [&](std::uint32_t lane) { return test(target_of(lane)); });
  }
  FieldKind decide() {
    bool is_some = false;
    if (all_targets([&](std::uint32_t at) { return is_references(at, false, is_some); }) && is_some) {
      return FieldKind::kTables;
    }
    is_some = false;
    if (all_targets([&](std::uint32_t at) { return is_references(at, true, is_some); }) && is_some) {
      return FieldKind::kTexts;
    }
    if (all_targets([&](std::uint32_t at) { return is_table(at); })) return FieldKind::kTable;
    return FieldKind::kPending;
  }

  // Follows the references of those tables of a type that were found since the last time.
  void look_at_new_tables(std::uint32_t type) {
    const std::size_t n_fields = shapes_with_[type].size();
    if (schema_.types[type].fields.size() < n_fields) schema_.types[type].fields.resize(n_fields);
    // Tables that this very look finds wait for the next one.
    for (const std::uint32_t field : collect_new_lanes(type)) {
      lanes_.clear();
      lanes_.swap(new_lanes_[field]);
      FieldKind kind = schema_.types[type].fields[field].kind;
      if (kind == FieldKind::kScalar || work_left_ < 0) continue;
      const bool is_first = kind == FieldKind::kUndecided;
      if (is_first) {
        kind = decide();
        schema_.types[type].fields[field].kind = kind;
        if (kind == FieldKind::kPending) continue;
      }
      std::uint32_t child = schema_.types[type].fields[field].child;
      for (const std::uint32_t lane : lanes_) {
        const std::uint32_t target = target_of(lane);
        bool is_some = false;
        if (kind == FieldKind::kTable) {
          if (is_first || is_table(target)) claim_table(target, child);
        } else {
          const bool texts = kind == FieldKind::kTexts;
          if (is_first || is_references(target, texts, is_some)) claim_references(target, child, texts);
        }
      }
      schema_.types[type].fields[field].child = child;
    }
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
    std::vector<Candidate> candidates;
    const auto n_types = static_cast<std::uint32_t>(schema_.types.size());
    for (std::uint32_t type = 0; type < n_types; ++type) {
      for (std::uint32_t field = 0; field < schema_.types[type].fields.size(); ++field) {
        if (schema_.types[type].fields[field].kind != FieldKind::kPending) continue;
        schema_.types[type].fields[field].kind = FieldKind::kScalar;
        if (!all_lanes_of(type, field)) continue;
        Candidate candidate{type, field, {}};
        std::uint32_t longest = 0;
        for (const std::uint32_t lane : lanes_) {
          const std::uint32_t target = target_of(lane);
          candidate.targets.push_back(target);
          candidate.is_text = candidate.is_text && is_text(target);
          longest = std::max(longest, load32(bytes_ + target));
        }
        candidate.is_weak = candidate.targets.size() < 4 && (!candidate.is_text || longest < 4);
        candidates.push_back(std::move(candidate));
      }
    }
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
      if (!std::all_of(candidate.targets.begin(), candidate.targets.end(),
                       [&](std::uint32_t at) { return fits(at); })) {
        continue;
      }
      candidate.child = new_type(candidate.is_text ? Kind::kText : Kind::kData);
      Field& field = schema_.types[candidate.type].fields[candidate.field];
      field = {candidate.is_text ? FieldKind::kText : FieldKind::kData, candidate.child};
      for (const std::uint32_t target : candidate.targets) {
        if (candidate.is_text) {
          claim_text(target, candidate.child);
        } else if (!is_claimed(target)) {
          claim(target, candidate.child, kNone);
          cover(target, target + 4);
        }
      }
    }
  }
  // Whether a string or vector of at least one byte per element can be here.
  bool fits(std::uint32_t start) const {
    const std::uint32_t count = load32(bytes_ + start);
    return count <= size_ - start - 4 && !is_covered(start) && (count == 0 || !is_covered(start + 3 + count));
  }
  void cover_data(std::uint32_t type) {
    std::vector<std::uint32_t> starts;
    for (const Found& vector : found_[type]) starts.push_back(vector.start);
    const std::uint32_t stride = stride_of(starts, [&](std::size_t i) {
      const std::uint32_t start = starts[i];
      const std::uint64_t most =
          std::min<std::uint64_t>(size_, std::uint64_t{start} + 4 + std::uint64_t{kMaxStride} * load32(bytes_ + start));
      std::uint64_t end = std::uint64_t{start} + 4;
      while (end < most && !is_covered(static_cast<std::uint32_t>(end))) end += 4;
      work_left_ -= static_cast<std::int64_t>(end - start) / 16;
      return static_cast<std::uint32_t>(std::min<std::uint64_t>(end, size_)) - start - 4;
    });
    for (const std::uint32_t start : starts)
      cover(start, std::uint64_t{start} + 4 + std::uint64_t{stride} * load32(bytes_ + start));
  }
  // Bytes per element: as many as fit everywhere. `room(i)`: bytes behind the length of vector i.
  template <typename Room>
  std::uint32_t stride_of(const std::vector<std::uint32_t>& starts, Room room) const {
    std::uint32_t stride = kMaxStride;
    bool is_exact = false;  // no padding could hide an element more
    for (std::size_t i = 0; i < starts.size(); ++i) {
      const std::uint32_t count = load32(bytes_ + starts[i]);
      if (count == 0) continue;
      stride = std::min(stride, room(i) / count);
      is_exact = is_exact || count >= 16;
    }
    if (is_exact) return stride;
    return stride >= 4 ? stride / 4 * 4 : stride >= 2 ? 2 : stride;
  }

  // --- rows and columns -----------------------------------------------------------------------------------

  // Vtables that were tested but that no table has.
  void drop_unused_shapes() {
    std::vector<std::uint32_t> moved_to(schema_.shapes.size());
    std::uint32_t n = 0;
    for (std::uint32_t shape = 0; shape < schema_.shapes.size(); ++shape) {
      if (schema_.shapes[shape].type == kNone) continue;
      moved_to[shape] = n;
      if (n != shape) schema_.shapes[n] = std::move(schema_.shapes[shape]);
      ++n;
    }
    schema_.shapes.resize(n);
    for (Type& type : schema_.types) {
      for (std::uint32_t& shape : type.shapes) shape = moved_to[shape];
    }
    for (std::vector<Found>& all : found_) {
      for (Found& found : all) found.shape = found.shape == kNone ? kNone : moved_to[found.shape];
    }
  }

  void finish() {
    std::vector<Found> all;
    std::size_t n = 0;
    for (const std::vector<Found>& found : found_) n += found.size();
    all.reserve(n);
    for (const std::vector<Found>& found : found_) all.insert(all.end(), found.begin(), found.end());
    for (Type& type : schema_.types) {
      for (const std::uint32_t shape : type.shapes) assign_columns(schema_.shapes[shape], type);
    }
    const auto schema = std::make_shared<Schema>(std::move(schema_));
    out_.schema = schema;
    out_.assemble(all);
    for (std::uint32_t t = 0; t < schema->types.size(); ++t) {
      if (schema->types[t].kind == Kind::kData) finish_data(schema->types[t], out_.groups[t].starts);
    }
    out_.count_rows();
    out_.for_each(0, size_, [&](const Object& object) {
      const std::uint64_t core = core_of(object);
      if (object.size() > core + 11) out_.n_unexplained += object.size() - core - 11;
    });
  }
  // Bytes that an object needs.
  std::uint64_t core_of(const Object& object) const {
    const Type& type = out_.types()[object.type];
    const auto count = [&] { return std::uint64_t{load32(bytes_ + object.start)}; };
    switch (type.kind) {
      case Kind::kOther: return object.size();
      case Kind::kVTable: return out_.shapes()[object.shape].size;
      case Kind::kTable: return out_.shapes()[object.shape].table_size;
      case Kind::kReferences: return 4 + 4 * count();
      case Kind::kText: return 5 + count();
      case Kind::kData: return 4 + type.stride * count();
    }
    return 0;
  }
  void finish_data(Type& type, const std::vector<std::uint32_t>& starts) const {
    const auto size_of = [&](std::uint32_t start) { return out_.starts.next(start) - start; };
    type.stride = stride_of(starts, [&](std::size_t i) { return std::max(size_of(starts[i]), 4u) - 4; });
    type.is_aligned = type.stride != 0 && type.stride % 8 == 0 &&
                      std::all_of(starts.begin(), starts.end(), [](std::uint32_t start) { return start % 8 == 4; });
    type.is_whole =
        !(type.stride >= 8 && starts.size() < 8) &&
        std::all_of(starts.begin(), starts.end(), [&](std::uint32_t start) { return size_of(start) <= 64; });
  }

  const std::byte* bytes_;
  std::uint32_t size_;
  std::int64_t work_left_;
  Structure out_;
  Schema schema_;
  std::vector<std::uint32_t> shape_positions_;         // [shapes]
  std::vector<std::vector<Found>> found_;              // [types]
  std::vector<std::vector<Slot>> type_slots_;          // [types][shapes of it]
  std::vector<std::vector<std::uint32_t>> new_slots_;  // [types] those with tables that were not looked at
  std::vector<std::vector<std::uint32_t>> new_lanes_;  // [fields] of the look at hand
  std::vector<std::vector<std::vector<std::uint32_t>>> shapes_with_;  // [types][fields] places in the type's shapes
  std::unordered_map<std::uint32_t, std::uint32_t> shape_slot_;       // of a shape: its place in its type's
  std::unordered_map<std::uint32_t, std::uint8_t> known_references_;  // starts; 1: of tables, 2: of strings
  std::deque<std::uint32_t> queue_;
  std::unordered_map<std::uint32_t, std::uint32_t> shape_index_;
  std::vector<std::uint64_t> claimed_;  // a bit for every second byte
  std::vector<std::uint64_t> covered_;  // a bit for every fourth
  std::vector<std::uint32_t> lanes_;
};

}  // namespace

Structure find_structure(BytesView bytes) { return Finder(bytes).run(); }

}  // namespace libsync::codec
