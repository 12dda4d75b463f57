// Runs: objects that are placed, predicted and copied as one are what they would be each by itself. What leads to a
// long run and what does not is the same patch otherwise, so that the one decoder is the model of the other.
#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <set>
#include <utility>

#include "codec/contents.h"
#include "libsync/patch.h"
#include "libsync/patch_context.h"
#include "unit/odd_layouts.h"
#include "unit/random_world.h"
#include "unit/small_world.h"

namespace libsync {
namespace {

using codec::Kind;
using codec::Structure;
using test::pick;
using test::Random;

// Has the members of codec::Decoder. The steps of the arrangement are told, what follows is drawn from a seed: often
// something that fits, with seed 0 nothing changes.
class Told {
 public:
  static constexpr bool kDecodes = true;

  Told(std::vector<std::uint32_t> steps, std::uint64_t seed)
      : steps_(std::move(steps)), is_calm_(seed == 0), random_(seed) {}

  void begin(codec::Part part, std::uint32_t = 0) { part_ = part, is_first_ = true; }
  std::uint32_t nibble(codec::Nibble&, std::uint32_t = 0) {
    if (part_ == codec::Part::kObjects) return next();
    return is_calm_ ? 0 : static_cast<std::uint32_t>(pick(random_, 0, 2));
  }
  bool bit(codec::Bit&, bool = false) {
    if (part_ == codec::Part::kObjects) return next() != 0;
    const bool is_seldom = std::exchange(is_first_, false) || part_ == codec::Part::kTexts;
    return !is_calm_ && pick(random_, 0, is_seldom ? 5 : 1) == 0;
  }
  std::uint32_t raw(unsigned n, std::uint32_t = 0) {
    return is_calm_ ? 0 : static_cast<std::uint32_t>(random_() & ((std::uint64_t{1} << n) - 1));
  }
  std::uint32_t number(codec::Number&, std::uint32_t = 0) {
    if (part_ == codec::Part::kObjects) return next();
    return !is_calm_ && pick(random_, 0, 19) == 0 ? 1 : 0;
  }
  bool at_end() const { return at_ == steps_.size(); }

 private:
  std::uint32_t next() { return at_ < steps_.size() ? steps_[at_++] : 0; }

  std::vector<std::uint32_t> steps_;
  std::size_t at_ = 0;
  bool is_calm_;
  Random random_;
  codec::Part part_ = codec::Part::kObjects;
  bool is_first_ = false;  // nothing was asked since begin()
};

// What a step of an arrangement is followed by: docs/WIRE_FORMAT.md section 3.4.
struct Step {
  codec::Step kind;
  std::uint32_t n = 1;
  std::vector<std::uint32_t> before{};  // what is said before their number
  std::vector<std::uint32_t> after{};   // and after it
};
std::vector<std::uint32_t> told(const std::vector<Step>& steps, bool joined) {
  std::vector<std::uint32_t> values;
  for (const Step& step : steps) {
    const bool is_split = step.kind == codec::Step::kRun && !joined;
    for (std::uint32_t i = 0; i < (is_split ? step.n : 1); ++i) {
      values.push_back(static_cast<std::uint32_t>(step.kind));
      values.insert(values.end(), step.before.begin(), step.before.end());
      values.push_back(is_split ? 0 : step.n - 1);
      values.insert(values.end(), step.after.begin(), step.after.end());
    }
  }
  return values;
}

struct Decoded {
  bool is_target = false;
  Bytes target;
  codec::Context context;
};
Decoded decode(const codec::Context& context, BytesView baseline, std::size_t target_size,
               const std::vector<Step>& steps, bool joined, std::uint64_t seed) {
  Decoded decoded{false, Bytes(target_size), context};
  Told coder(told(steps, joined), seed);
  decoded.is_target = codec::decode_objects(decoded.context, coder, baseline, decoded.target);
  return decoded;
}

void check_equal(const Structure& a, const Structure& b) {
  CHECK(a.schema->shapes.size() == b.schema->shapes.size());
  CHECK(a.size_bytes == b.size_bytes);
  CHECK(a.tags == b.tags);
  CHECK(a.vtable_shapes == b.vtable_shapes);
  REQUIRE(a.groups.size() == b.groups.size());
  for (std::size_t type = 0; type < a.groups.size(); ++type) {
    CHECK(a.groups[type].starts == b.groups[type].starts);
    CHECK(a.groups[type].n_rows == b.groups[type].n_rows);
    CHECK(a.groups[type].is_roomy == b.groups[type].is_roomy);
  }
  for (std::uint32_t position = 0; position < a.size_bytes; ++position) {
    const codec::Object one = a.object(position), other = b.object(position);
    if (one.start != other.start || one.end != other.end || one.type != other.type || one.shape != other.shape)
      FAIL("another object at " << position);
  }
}
void check_equal(const codec::Models& a, const codec::Models& b) {
  REQUIRE(a.types.size() == b.types.size());
  for (std::size_t type = 0; type < a.types.size(); ++type) {
    const auto is_equal = [](const codec::Motion& one, const codec::Motion& other) {
      return one.row == other.row && one.column == other.column && one.step == other.step && one.before == other.before;
    };
    CHECK(std::ranges::equal(a.types[type].motions, b.types[type].motions, is_equal));
    CHECK(a.types[type].columns.size() == b.types[type].columns.size());
  }
}

struct Count {
  int n_targets = 0;
  int n_changed = 0;  // of these, something is other than the steps alone lead to
  int n_moving = 0;   // of these, something moves on
};
// False: the steps do not fit.
bool check_joined(const codec::Context& context, BytesView baseline, std::size_t target_size,
                  const std::vector<Step>& steps, Count& count, std::uint64_t n_seeds = 5) {
  bool fits = false;
  for (std::uint64_t seed = 0; seed < n_seeds; ++seed) {
    CAPTURE(seed);
    const Decoded one = decode(context, baseline, target_size, steps, true, seed);
    const Decoded each = decode(context, baseline, target_size, steps, false, seed);
    CHECK(one.is_target == each.is_target);
    if (!one.is_target || !each.is_target) continue;
    fits = true;
    ++(seed == 0 ? count.n_targets : count.n_changed);
    const auto moves = [](const codec::TypeModel& type) { return !type.motions.empty(); };
    count.n_moving += std::ranges::any_of(one.context.models.types, moves) ? 1 : 0;
    CHECK(one.target == each.target);
    check_equal(*one.context.structure, *each.context.structure);
    check_equal(one.context.models, each.context.models);
  }
  return fits;
}

// Steps that place most objects, in order but for some, and lead to the first.
std::vector<Step> draw_steps(const Structure& base, Random& random) {
  std::vector<std::uint32_t> starts;
  base.for_each(0, base.size_bytes, [&](const codec::Object& object) { starts.push_back(object.start); });
  auto index = static_cast<std::uint32_t>(starts.size());  // of the cursor
  std::set<std::uint32_t> used;
  const auto move_on = [&](bool uses) {
    while (used.contains(starts[--index])) {
    }
    if (uses) used.insert(starts[index]);
  };
  const auto type_at = [&](std::uint32_t position) { return base.object(position).type; };
  std::vector<Step> steps;
  while (index > 0) {
    const auto most = std::min<std::uint32_t>(index, pick(random, 0, 2) == 0 ? 12 : 600);
    Step step{codec::Step::kRun, 0};
    switch (pick(random, 0, 11)) {
      case 0: {  // some are gone
        step = {codec::Step::kSkip, 0};
        for (std::uint64_t n = pick(random, 1, 2); n > 0 && index > 1; --n, ++step.n) move_on(false);
        if (step.n > 0) steps.push_back(step);
        continue;
      }
      case 1:  // some are there once more
        steps.push_back({codec::Step::kFresh,
                         static_cast<std::uint32_t>(pick(random, 1, 3)),
                         {type_at(static_cast<std::uint32_t>(pick(random, 4, base.size_bytes - 1)))}});
        continue;
      case 2: {  // one comes early
        const std::uint32_t start = starts[pick(random, 0, index - 1)];
        const std::uint32_t type = type_at(start);
        const std::uint32_t here = base.rank_of(type, index < starts.size() ? starts[index] : base.size_bytes);
        if (start == 0 || !used.insert(start).second) continue;
        steps.push_back({codec::Step::kJump, 1, {type, 2 * (here - 1 - base.rank_of(type, start))}});
        continue;
      }
      case 3:  // something else comes between
        steps.push_back({codec::Step::kRaw, 2, {}, {1, 2, 3, 4}});
        continue;
      case 4:  // more padding
        steps.push_back({codec::Step::kPad, static_cast<std::uint32_t>(pick(random, 1, 9))});
        break;
      default: break;
    }
    for (std::uint64_t n = pick(random, 1, most); n > 0 && index > 0; --n, ++step.n) move_on(true);
    steps.push_back(step);
  }
  return steps;
}

// At the last of some states that were sent one after the other, and received.
struct Sent {
  SnapshotPtr held;
  PatchContext context, received;

  explicit Sent(const Bytes& bytes) : held(Snapshot::copy_of(bytes)) {}
  void send(const Bytes& bytes) {
    const SnapshotPtr target = Snapshot::copy_of(bytes);
    Bytes patch;
    make_patch(*held, *target, patch, kPatchFormat, &context);
    const Result<SnapshotPtr> applied = apply_patch(*held, patch, Limits{}, &received);
    REQUIRE(applied.has_value());
    CHECK(std::ranges::equal((*applied)->bytes(), bytes));
    held = target;
  }
  codec::Context at() const {
    REQUIRE(context.is_at(*held));
    return *PatchContext(context).release();
  }
};

// Tables in a row, behind all that leads to them; in a context that has seen how this was cut off.
Sent tables_at_the_start(std::uint32_t n) {
  constexpr std::uint32_t kRoot = 16, kVector = 28, kTableBytes = 32;
  const std::uint32_t tables = kVector + 4 + 4 * n, vtable = tables + n * kTableBytes, root_vtable = vtable + 20;
  test::Layout out(root_vtable + 8);
  out.refer(0, kRoot);
  out.table(kRoot, root_vtable);
  out.refer(kRoot + 4, kVector);
  out.u32(kRoot + 8, 0x7f000000);
  out.u32(kVector, n);
  for (std::uint32_t i = 0; i < n; ++i) {
    out.refer(kVector + 4 + 4 * i, tables + kTableBytes * i);
    out.table(tables + kTableBytes * i, vtable);
    for (std::uint32_t at = 4; at < kTableBytes; at += 4) out.u32(tables + kTableBytes * i + at, 0x7f000000 + 100 * i);
  }
  out.vtable(vtable, kTableBytes, {4, 8, 12, 16, 20, 24, 28});
  out.vtable(root_vtable, 12, {4, 8});
  Sent sent(out.bytes);
  sent.send(Bytes(out.bytes.begin() + tables, out.bytes.end()));
  return sent;
}

}  // namespace

TEST_CASE("runs: what they hold, where it went and how it moves is that of each object by itself") {
  Count count;
  int n_long = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    test::SmallWorld world = test::small_world(static_cast<std::uint32_t>(pick(random, 40, 120)));
    Sent sent(world.build());
    for (std::uint64_t n = pick(random, 1, 3); n > 0; --n) {
      for (test::SmallBody& body : world.bodies) body.x += 0.5f, body.mass += body.id % 3;
      for (test::SmallShot& shot : world.shots) shot.x += shot.vx;
      ++world.tick;
      sent.send(world.build());
    }
    Bytes baseline(sent.held->bytes().begin(), sent.held->bytes().end());
    codec::Context context = sent.at();
    if (seed % 2 == 0) {  // references that lead anywhere, as any change of a value may
      const Structure& structure = *context.structure;
      for (int n = 0; n < 40; ++n) {
        const std::uint32_t at =
            structure.starts.begin_of(static_cast<std::uint32_t>(pick(random, 0, baseline.size() - 1)));
        if (structure.types()[structure.object(at).type].kind != Kind::kTable) continue;
        const std::size_t lane = at + 4 * pick(random, 1, 5);
        if (lane + 4 > baseline.size()) continue;
        codec::store32(&baseline[lane], static_cast<std::uint32_t>(pick(random, 0, baseline.size() - lane + 9)));
      }
    }
    if (seed % 4 == 1) {  // lengths, and what is behind objects
      for (int n = 0; n < 9; ++n)
        baseline[pick(random, 0, baseline.size() - 1)] ^= static_cast<std::byte>(1u << pick(random, 0, 7));
      const std::uint32_t behind = context.structure->starts.next(static_cast<std::uint32_t>(baseline.size() / 2));
      for (std::uint32_t start = behind; start < baseline.size(); start = context.structure->starts.next(start)) {
        if (pick(random, 0, 30) == 0) baseline[start - 1] = std::byte{1};
      }
    }
    for (int i = 0; i < 8; ++i) {
      const std::vector<Step> steps = draw_steps(*context.structure, random);
      const std::size_t target_size = baseline.size() + 4 * pick(random, 0, 200) + (seed % 5 == 0 ? 2 : 0);
      if (!check_joined(context, baseline, target_size, steps, count)) continue;
      n_long += std::ranges::any_of(steps, [&](const Step& step) {
        return step.kind == codec::Step::kRun && step.n >= 8 * context.structure->types().size();
      });
    }
  }
  CHECK(count.n_targets > 100);
  CHECK(count.n_changed > 100);
  CHECK(n_long > 50);
}

TEST_CASE("runs: around the number of objects from which one is long") {
  const Bytes baseline = test::small_world(90).build();
  const codec::Context context = codec::new_context(Snapshot::copy_of(baseline)->structure());
  const auto n_objects = context.structure->n_objects();
  const auto bound = static_cast<std::uint32_t>(8 * context.structure->types().size());
  REQUIRE(n_objects > 2 * bound);
  Count count;
  for (std::uint32_t n_before = 0; n_before + bound + 2 < n_objects; n_before += 7) {
    CAPTURE(n_before);
    for (std::uint32_t n = bound - 1; n <= bound + 1; ++n) {
      std::vector<Step> steps;
      if (n_before > 0) steps.push_back({codec::Step::kRun, n_before});
      steps.push_back({codec::Step::kSkip, 1});
      steps.push_back({codec::Step::kRun, n});
      if (n_before + n + 2 < n_objects) steps.push_back({codec::Step::kSkip, n_objects - n_before - n - 2});
      steps.push_back({codec::Step::kRun, 1});
      CHECK(check_joined(context, baseline, baseline.size() + 64, steps, count));
    }
  }
}

TEST_CASE("runs: copies of objects that a run holds, its first and its last too") {
  const Bytes baseline = test::small_world(60).build();
  const codec::Context context = codec::new_context(Snapshot::copy_of(baseline)->structure());
  const Structure& structure = *context.structure;
  Count count;
  for (std::uint32_t type = 2; type < structure.types().size(); ++type) {
    CAPTURE(type);
    const auto n_of_type = static_cast<std::uint32_t>(structure.groups[type].starts.size());
    for (std::uint32_t n_fresh = 1; n_fresh < 6; ++n_fresh) {
      // The copies come before the run, so they are of the type's last object and those below it.
      std::vector<Step> steps{{codec::Step::kFresh, n_fresh, {type}}, {codec::Step::kRun, structure.n_objects()}};
      check_joined(context, baseline, baseline.size() + 4096, steps, count);
      // The same twice, and behind a part of the run that ends with one of this type.
      steps.insert(steps.begin(), {codec::Step::kFresh, 1, {type}});
      check_joined(context, baseline, baseline.size() + 4096, steps, count);
      const std::uint32_t start = structure.groups[type].starts[n_of_type / 2];
      const std::uint32_t n_behind = structure.n_objects() - structure.starts.index_of(start);
      steps = {{codec::Step::kRun, n_behind},
               {codec::Step::kFresh, n_fresh, {type}},
               {codec::Step::kRun, structure.n_objects() - n_behind}};
      check_joined(context, baseline, baseline.size() + 4096, steps, count);
    }
  }
  CHECK(count.n_targets > 100);
  CHECK(count.n_changed > 20);
}

TEST_CASE("runs: what moves goes on moving beside new objects and behind those that are gone") {
  test::SmallWorld world = test::small_world(90);
  Sent sent(world.build());
  for (int i = 0; i < 2; ++i) {
    for (test::SmallBody& body : world.bodies) body.id += body.id % 7;
    sent.send(world.build());
  }
  const codec::Context context = sent.at();
  const Structure& structure = *context.structure;
  const std::uint32_t n = structure.n_objects();
  const auto moves_most = [](const codec::TypeModel& a, const codec::TypeModel& b) {
    return a.motions.size() < b.motions.size();
  };
  const std::vector<codec::TypeModel>& types = context.models.types;
  const auto type = static_cast<std::uint32_t>(std::ranges::max_element(types, moves_most) - types.begin());
  REQUIRE(types[type].motions.size() > 60);
  Count count;
  for (const std::uint32_t n_gone : {1u, 4u, 30u}) {
    CAPTURE(n_gone);
    const std::vector<Step> steps{{codec::Step::kRun, n / 2},
                                  {codec::Step::kFresh, 2, {type}},
                                  {codec::Step::kSkip, n_gone},
                                  {codec::Step::kFresh, 1, {type}},
                                  {codec::Step::kRun, n - n / 2 - n_gone}};
    CHECK(check_joined(context, sent.held->bytes(), sent.held->size_bytes() + 512, steps, count, 150));
  }
  CHECK(count.n_moving > 20);
}

TEST_CASE("runs: longer than what is left of the target") {
  const Bytes baseline = test::small_world(90).build();
  const codec::Context context = codec::new_context(Snapshot::copy_of(baseline)->structure());
  const std::vector<Step> all{{codec::Step::kRun, context.structure->n_objects()}};
  Count count;
  CHECK(check_joined(context, baseline, baseline.size(), all, count));
  for (std::size_t size = 4; size < baseline.size() - 40; size += 36)
    CHECK(!check_joined(context, baseline, size, all, count));
}

TEST_CASE("runs: vectors of references to what is no type's own hold nothing before they are told") {
  constexpr std::uint32_t kN = 100, kRoot = 16, kList = 28, kVTable = kList + 4 + 4 * kN, kTables = kVTable + 8;
  constexpr std::uint32_t kVectors = kTables + 8 * kN, kShared = kVectors + 8 * kN;
  test::Layout out(kShared + 16);
  out.refer(0, kRoot);
  out.vtable(4, 12, {4, 8});
  out.table(kRoot, 4);
  out.refer(kRoot + 4, kShared);
  out.refer(kRoot + 8, kList);
  out.u32(kList, kN);
  out.vtable(kVTable, 8, {4});
  for (std::uint32_t i = 0; i < kN; ++i) {
    out.refer(kList + 4 + 4 * i, kTables + 8 * i);
    out.table(kTables + 8 * i, kVTable);
    out.refer(kTables + 8 * i + 4, kVectors + 8 * i);
    out.references(kVectors + 8 * i, {kShared});
  }
  out.table(kShared, kShared + 8);
  out.u32(kShared + 4, 0x7f000001);
  out.vtable(kShared + 8, 8, {4});
  const codec::Context context = codec::new_context(Snapshot::copy_of(out.bytes)->structure());
  const Structure& structure = *context.structure;
  const codec::Type& vectors = structure.types()[structure.object(kVectors).type];
  REQUIRE(vectors.kind == Kind::kReferences);
  REQUIRE(vectors.element == codec::kNone);
  Count count;
  CHECK(check_joined(context, out.bytes, out.bytes.size() + 16, {{codec::Step::kRun, structure.n_objects()}}, count));
}

TEST_CASE("runs: new objects before the first byte of a baseline are made of what begins there") {
  Sent sent = tables_at_the_start(100);
  Bytes bytes(sent.held->bytes().begin(), sent.held->bytes().end());
  constexpr std::uint32_t kTableBytes = 32;
  const std::uint32_t vtable = 0u - codec::load32(bytes.data());
  for (std::uint32_t i = 0; i < 2; ++i) {
    Bytes table(bytes.begin(), bytes.begin() + kTableBytes);
    codec::store32(table.data(), 0u - (vtable + (i + 1) * kTableBytes));
    for (std::uint32_t at = 4; at < kTableBytes; at += 4) codec::store32(&table[at], 77 + at + i);
    bytes.insert(bytes.begin(), table.begin(), table.end());
  }
  sent.send(bytes);
  CHECK(sent.at().structure->groups[sent.at().structure->object(0).type].starts.size() == 102);
}

TEST_CASE("runs: a vector of eight-byte elements is none of a run where it is the first of all") {
  constexpr std::uint32_t kRoot = 12, kVector = 20, kCount = 20;
  test::Layout out(kVector + 4 + 8 * kCount);
  out.refer(0, kRoot);
  out.vtable(4, 8, {4});
  out.table(kRoot, 4);
  out.refer(kRoot + 4, kVector);
  out.u32(kVector, kCount);
  for (std::uint32_t i = 0; i < 2 * kCount; ++i) out.u32(kVector + 4 + 4 * i, 0x01010101 * (i + 1));
  const codec::Context context = codec::new_context(Snapshot::copy_of(out.bytes)->structure());
  const std::uint32_t type = context.structure->object(kVector).type;
  REQUIRE(context.structure->types()[type].is_aligned);
  const Decoded first = decode(context, out.bytes, 4 + 8 * kCount, {{codec::Step::kJump, 1, {type, 0}}}, true, 0);
  REQUIRE(first.is_target);
  const Structure& base = *first.context.structure;
  const codec::Object vector = base.object(0);
  REQUIRE(vector.start == 0);
  REQUIRE(base.types()[vector.type].is_aligned);
  codec::Arrangement plan(base, first.target, base.size_bytes + 8);
  codec::Placed placed;
  REQUIRE(plan.place(0, false, codec::Overrides{}, vector.end + 8, placed));
  CHECK(placed.start != vector.start + 8);
  CHECK(!plan.is_regular(vector, 8));
}

TEST_CASE("runs: tables whose vtable is gone may get it again, whichever way they came") {
  const Sent sent = tables_at_the_start(100);
  const codec::Context before = sent.at();
  const std::uint32_t n = before.structure->n_objects();
  const auto size = static_cast<std::uint32_t>(sent.held->size_bytes());
  const Decoded without =
      decode(before, sent.held->bytes(), size - 20,
             {{codec::Step::kRun, 1}, {codec::Step::kSkip, 1}, {codec::Step::kRun, n - 2}}, true, 0);
  REQUIRE(without.is_target);
  // The vtable that is left comes early, as the one that is gone.
  const std::vector<Step> steps{
      {codec::Step::kSkip, 1}, {codec::Step::kRun, n - 3}, {codec::Step::kFresh, 1, {1}}, {codec::Step::kRun, 1}};
  const std::vector<std::uint32_t> reshape{static_cast<std::uint32_t>(codec::Step::kReshape), 1};
  for (const bool joined : {true, false}) {
    std::vector<std::uint32_t> values = told(steps, joined);
    // Before the fresh vtable, which with the run behind it takes five values.
    values.insert(values.end() - 5, reshape.begin(), reshape.end());
    codec::Context context = without.context;
    Told coder(values, 0);
    Bytes target(size - 28 + 20);
    REQUIRE(codec::decode_objects(context, coder, without.target, target));
    const std::uint32_t vtable = context.structure->groups[1].starts.back();
    CHECK(codec::load16(&target[vtable + 2]) == 32);  // bytes of such a table
  }
}

TEST_CASE("runs: down to the first byte of a baseline") {
  const Sent sent = tables_at_the_start(100);
  const codec::Context context = sent.at();
  const Structure& structure = *context.structure;
  const std::uint32_t n = structure.n_objects();
  REQUIRE(structure.types()[structure.object(0).type].kind == Kind::kTable);
  const auto size = static_cast<std::uint32_t>(sent.held->size_bytes());
  Count count;
  CHECK(check_joined(context, sent.held->bytes(), size, {{codec::Step::kRun, n}}, count));
  // No object is left for more.
  CHECK(!check_joined(context, sent.held->bytes(), size + 64, {{codec::Step::kRun, n + 1}}, count));
  // The first comes last, so that a run ends at what is used.
  const std::uint32_t type = structure.object(0).type;
  const std::vector<std::uint32_t> first{type,
                                         2 * (static_cast<std::uint32_t>(structure.groups[type].starts.size()) - 1)};
  CHECK(check_joined(context, sent.held->bytes(), size, {{codec::Step::kJump, 1, first}, {codec::Step::kRun, n - 1}},
                     count));
  CHECK(!check_joined(context, sent.held->bytes(), size + 64, {{codec::Step::kJump, 1, first}, {codec::Step::kRun, n}},
                      count));
  CHECK(!check_joined(context, sent.held->bytes(), size + 64, {{codec::Step::kJump, 1, first}, {codec::Step::kSkip, n}},
                      count));
}

}  // namespace libsync
