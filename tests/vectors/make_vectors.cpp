// make_vectors FOLDER: writes the golden vectors anew. Run by hand after a change of format, in the same commit as
// docs/WIRE_FORMAT.md; the tests of C++ and TypeScript only read them. Each file is a JSON array with one object a
// line, all values strings (bytes and 64-bit numbers in hex), so that a reader needs no JSON library.
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "byte_writer.h"
#include "libsync/frame.h"
#include "libsync/held_chunks.h"
#include "libsync/message.h"
#include "libsync/patch.h"
#include "unit/odd_layouts.h"
#include "unit/random_world.h"
#include "unit/scripted_patch.h"
#include "unit/small_world.h"
#include "unit/support.h"

namespace {

using namespace libsync;
using test::bytes_of;
using test::Random;
using test::random_bytes;
using test::to_hex;
using test::to_hex64;

using Object = std::vector<std::pair<std::string, std::string>>;

void write_file(const std::string& path, const std::vector<Object>& objects) {
  std::ofstream file(path);
  file << "[\n";
  for (std::size_t i = 0; i < objects.size(); ++i) {
    file << "{";
    for (std::size_t j = 0; j < objects[i].size(); ++j) {
      file << (j == 0 ? "" : ", ") << '"' << objects[i][j].first << "\": \"" << objects[i][j].second << '"';
    }
    file << (i + 1 == objects.size() ? "}\n" : "},\n");
  }
  file << "]\n";
  std::printf("%s: %zu\n", path.c_str(), objects.size());
}

// --- Digests: byte i of the input is (i * 31 + size) mod 251.

std::vector<Object> digests() {
  std::vector<Object> objects;
  for (const std::size_t size :
       {0, 1, 8, 17, 255, 256, 300, 1023, 1024, 1025, 2048, 65535, 65536, 65537, 1'000'000, 4'194'305, 16'777'217}) {
    Bytes bytes(size);
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>((i * 31 + size) % 251);
    const Fingerprints fingerprints = Fingerprints::of(bytes);
    const HeldChunks held = HeldChunks::of(bytes);
    objects.push_back({{"size", std::to_string(size)},
                       {"chunk_size", std::to_string(chunk_size_bytes(size))},
                       {"first_fingerprint", size == 0 ? "" : to_hex64(fingerprints.chunks()[0])},
                       {"digest", to_hex64(fingerprints.digest().value)},
                       {"held_chunk_size", std::to_string(held_chunk_bytes(size))},
                       {"held_fingerprints", to_hex64(xxh3_64(held.fingerprints))},
                       {"first_held_fingerprint",
                        to_hex(BytesView(held.fingerprints)
                                   .first(std::min<std::size_t>(held.fingerprints.size(), kHeldFingerprintBytes)))}});
  }
  return objects;
}

// --- Patches

// "after": the name of the vector before this one, if the patch comes with the context that its patch left.
Object patch_object(const std::string& name, BytesView baseline, BytesView patch, const std::string& after = "",
                    PatchContext* context = nullptr) {
  const Result<SnapshotPtr> applied = apply_patch(*Snapshot::copy_of(baseline), patch, Limits{}, context);
  return {{"name", name},
          {"after", after},
          {"baseline", to_hex(baseline)},
          {"patch", to_hex(patch)},
          {"error", applied ? "" : name_of(applied.error().code)},
          {"target", applied ? to_hex((*applied)->bytes()) : ""},
          {"digest", applied ? to_hex64((*applied)->digest().value) : ""}};
}

Object made_patch(const std::string& name, const Bytes& baseline, const Bytes& target) {
  Bytes patch;
  make_patch(*Snapshot::copy_of(baseline), *Snapshot::copy_of(target), patch);
  return patch_object(name, baseline, patch);
}

// A patch written op by op; its header says what `target` is.
Object hand_patch(const std::string& name, const Bytes& baseline, const Bytes& target, const Bytes& ops) {
  Bytes patch;
  ByteWriter writer(patch);
  writer.u8(static_cast<std::uint8_t>(PatchKind::kBytes));
  writer.varint(baseline.size());
  writer.varint(target.size());
  writer.u64(digest_of(target).value);
  writer.bytes(ops);
  return patch_object(name, baseline, patch);
}

// Everything that the kinds for FlatBuffers can say, in worlds of a few hundred bytes.
void add_structured(std::vector<Object>& objects) {
  using World = test::SmallWorld;
  const auto add = [&](const std::string& name, std::uint32_t n, auto change) {
    const World world = test::small_world(n);
    World changed = world;
    change(changed);
    objects.push_back(made_patch(name, world.build(), changed.build()));
  };
  add("world: nothing", 8, [](World&) {});
  add("world: scalars", 20, [](World& w) {
    ++w.tick;
    w.bodies[3].x += 0.25f;
    w.bodies[4].mass -= 5;
    w.bodies[11].y = -1e30f;
    w.bodies[7].items[2] = 0xfffffff0;
    w.shots[5] = {1, 2, 3, 4};
  });
  add("world: everything moves", 25, [](World& w) {
    for (test::SmallBody& body : w.bodies) body.x += 0.125f, body.y -= 0.5f;
  });
  add("world: texts", 12, [](World& w) {
    w.bodies[1].name[3] = 'X';
    w.bodies[2].name.pop_back();
    w.bodies[5].tags[0] = "RARE";
  });
  add("world: longer texts", 12, [](World& w) { w.bodies[1].name += " with a longer name \u00e9"; });
  add("world: one removed", 20, [](World& w) { w.bodies.erase(w.bodies.begin() + 9); });
  add("world: some new", 20, [](World& w) {
    test::SmallBody body = w.bodies[6];
    body.id = 99;
    body.name = "brand new";
    w.bodies.insert(w.bodies.begin() + 4, body);
    body.id = 100;
    body.tags = {"a", "b"};
    w.bodies.push_back(body);
  });
  add("world: defaults", 20, [](World& w) {
    w.bodies[3].hp = 100;
    w.bodies[4].hp = 5;
    w.bodies[5].tags.clear();
    w.bodies[6].tags = {"first"};
  });
  add("world: another order", 24,
      [](World& w) { std::rotate(w.bodies.begin(), w.bodies.begin() + 5, w.bodies.end() - 3); });
  add("world: elements of structs come and go", 24, [](World& w) {
    w.shots.erase(w.shots.begin() + 3);
    w.shots.insert(w.shots.begin() + 17, 2, {9, 9, 9, 9});
    w.shots[20].x = 5;
  });
  add("world: empty", 10, [](World& w) { w = World{}; });
  const World small = test::small_world(3);
  objects.push_back(made_patch("world: from empty", World{}.build(), small.build()));
  // The first fields of bodies that none had before: a new vtable.
  World plain = test::small_world(10);
  for (test::SmallBody& body : plain.bodies) body.tags.clear(), body.hp = 100;
  World tagged = plain;
  tagged.bodies[4].hp = 3;
  tagged.bodies[7].hp = 4;
  objects.push_back(made_patch("world: a new vtable", plain.build(), tagged.build()));
  // The same patches, bent.
  Random random(5);
  const Bytes from = small.build();
  World next = small;
  next.bodies[1].x = 5;
  next.bodies.erase(next.bodies.begin());
  Bytes patch;
  make_patch(*Snapshot::copy_of(from), *Snapshot::copy_of(next.build()), patch);
  for (int i = 0; i < 24; ++i) {
    Bytes bent = patch;
    bent[test::pick(random, 10, bent.size() - 1)] ^= static_cast<std::byte>(1u << test::pick(random, 0, 7));
    objects.push_back(patch_object("world: bent " + std::to_string(i), from, bent));
  }
  World moved = small;
  moved.bodies[2].x = 5;
  moved.bodies[0].name[0] = 'M';
  make_patch(*Snapshot::copy_of(from), *Snapshot::copy_of(moved.build()), patch);
  for (int i = 0; i < 16; ++i) {
    Bytes bent = patch;
    bent[test::pick(random, 9, bent.size() - 1)] ^= static_cast<std::byte>(1u << test::pick(random, 0, 7));
    objects.push_back(patch_object("world: bent in place " + std::to_string(i), from, bent));
  }
  patch.push_back(std::byte{0});
  patch.push_back(std::byte{0});
  objects.push_back(patch_object("world: something behind the stream", from, patch));
  Bytes large = bytes_of({3, 0xff, 0xff, 0xff, 0x7f, 0, 0, 0, 0, 0, 0, 0, 0});
  objects.push_back(patch_object("world: target above the limit", from, large));
  objects.push_back(patch_object("world: moved from nothing", {}, bytes_of({3, 5, 0, 0, 0, 0, 0, 0, 0, 0, 1})));
  objects.push_back(patch_object("world: in place of nothing", {}, bytes_of({2, 0, 0, 0, 0, 0, 0, 0, 0})));
}

// A world that goes on for some steps.
template <typename World, typename Step>
void add_chain(std::vector<Object>& objects, const std::string& name, World world, int n_steps, Step step) {
  PatchContext sent, received;
  Bytes baseline = world.build();
  std::string after;
  for (int i = 0; i < n_steps; ++i) {
    step(world, i);
    const Bytes target = world.build();
    const std::string own = name + ", step " + std::to_string(i);
    Bytes patch;
    make_patch(*Snapshot::copy_of(baseline), *Snapshot::copy_of(target), patch, kPatchFormat, &sent);
    objects.push_back(patch_object(own, baseline, patch, after, &received));
    baseline = target;
    after = own;
  }
}

void add_chains(std::vector<Object>& objects) {
  using World = test::SmallWorld;
  add_chain(objects, "chain: shots fly", test::small_world(6), 6, [](World& w, int i) {
    ++w.tick;
    for (test::SmallShot& shot : w.shots) shot.x += shot.vx, shot.y += i * shot.vy, shot.vy -= 2;
    if (i == 4) w.shots[2].x = -9;
  });
  add_chain(objects, "chain: some bodies stop and go", test::small_world(16), 8, [](World& w, int i) {
    for (std::size_t k = 0; k < w.bodies.size(); ++k) {
      if ((k + static_cast<std::size_t>(i)) % 4 != 0) w.bodies[k].x += 0.5f, w.bodies[k].hp += 1;
    }
    if (i == 3) w.bodies[5].name[2] = '!', w.bodies[6].y = 0.5f;
    if (i == 5) w.bodies[6].items[1] = 77, w.bodies[9].mass -= 1;
  });
  add_chain(objects, "chain: bodies come, move and go", test::small_world(12), 8, [](World& w, int i) {
    for (test::SmallBody& body : w.bodies) body.mass += 1'000'000 + body.id;
    if (i % 3 == 1) w.bodies.erase(w.bodies.begin() + i);
    if (i % 3 == 2)
      w.bodies.insert(w.bodies.begin() + i, test::small_world(40).bodies[static_cast<std::size_t>(20 + i)]);
    if (i == 4) std::rotate(w.bodies.begin(), w.bodies.begin() + 3, w.bodies.end());
    if (i == 6) w.bodies[1].tags = {"late"}, w.bodies[2].hp = 1;
  });
  for (int seed = 0; seed < 12; ++seed) {
    Random random(static_cast<std::uint64_t>(seed));
    add_chain(objects, "chain: random " + std::to_string(seed), test::small_world(static_cast<std::uint32_t>(seed)), 6,
              [&](World& w, int) { test::play(w, random); });
  }
  // Bent in the middle of a context.
  Random random(6);
  World world = test::small_world(5);
  PatchContext sent, received;
  const Bytes first = world.build();
  for (test::SmallBody& body : world.bodies) body.x += 1, body.mass += 5;
  const Bytes second = world.build();
  for (test::SmallBody& body : world.bodies) body.x += 1, body.mass += 5 + body.id;
  world.bodies[3].name += "!";
  const Bytes third = world.build();
  Bytes begins, continues;
  make_patch(*Snapshot::copy_of(first), *Snapshot::copy_of(second), begins, kPatchFormat, &sent);
  make_patch(*Snapshot::copy_of(second), *Snapshot::copy_of(third), continues, kPatchFormat, &sent);
  objects.push_back(patch_object("chain: continues nothing", second, continues));
  for (int i = 0; i < 16; ++i) {
    const std::string name = "chain: before bent " + std::to_string(i);
    objects.push_back(patch_object(name, first, begins, "", &received));
    Bytes bent = continues;
    bent[test::pick(random, 10, bent.size() - 1)] ^= static_cast<std::byte>(1u << test::pick(random, 0, 7));
    objects.push_back(patch_object("chain: bent " + std::to_string(i), second, bent, name, &received));
    objects.push_back(patch_object("chain: after bent " + std::to_string(i), second, continues,
                                   "chain: bent " + std::to_string(i), &received));
    received.close();
  }
}

// "7x3 5": 7 7 7 5.
std::vector<std::uint32_t> read_values(std::istream& words) {
  std::vector<std::uint32_t> values;
  for (std::string word; words >> word;) {
    const std::size_t times = word.find('x');
    const auto value = static_cast<std::uint32_t>(std::stoul(word));
    values.insert(values.end(), times == std::string::npos ? 1 : std::stoul(word.substr(times + 1)), value);
  }
  return values;
}

// Those of scripts.txt, which says what its lines are.
void add_scripts(std::vector<Object>& objects, const std::string& path) {
  std::ifstream file(path);
  std::string name, after;
  SnapshotPtr held;
  PatchContext context;
  int step = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.empty()) name.clear();
    if (line.empty() || line[0] == '#') continue;
    const std::size_t colon = line.find(':');
    std::istringstream words(line.substr(colon == std::string::npos ? 0 : colon + 1));
    if (name.empty()) {
      name = "scripted: " + line;
      after.clear();
      context.close();
      step = 0;
    } else if (line.starts_with("bodies ")) {
      held = Snapshot::copy_of(test::small_world(static_cast<std::uint32_t>(std::stoul(line.substr(7)))).build());
    } else {
      const bool is_moved = line.starts_with("moved ");
      const test::ScriptedPatch scripted =
          test::scripted_patch(*held, is_moved ? PatchKind::kMoved : PatchKind::kInPlace,
                               is_moved ? std::stoul(line.substr(6)) : held->size_bytes(), read_values(words), context);
      const std::string own = name + ", step " + std::to_string(step++);
      objects.push_back(patch_object(own, held->bytes(), scripted.patch, after, &context));
      if (scripted.target) held = Snapshot::copy_of(*scripted.target);
      after = own;
    }
  }
}

// Schemas drawn at random, and bytes that no builder writes.
void add_odd(std::vector<Object>& objects) {
  for (int seed = 0; seed < 24; ++seed) {
    Random random(static_cast<std::uint64_t>(seed));
    test::RandomWorld world(random);
    if (world.build().size() > 700) continue;
    add_chain(objects, "chain: schema " + std::to_string(seed), world, 3,
              [&](test::RandomWorld& w, int) { w.play(random); });
  }
  const std::pair<std::string, Bytes> layouts[] = {{"shared", test::shared_layout()},
                                                   {"cut", test::cut_layout()},
                                                   {"overlapping", test::overlapping_layout()},
                                                   {"crowded", test::crowded_layout(3, 60)},
                                                   {"too crowded", test::crowded_layout(20, 200)},
                                                   {"costly", test::costly_layout(2, 6, 90, 2)},
                                                   {"too costly", test::costly_layout(3, 50, 400, 2)}};
  for (const auto& [name, baseline] : layouts) {
    Random random(7);
    const SnapshotPtr held = Snapshot::copy_of(baseline);
    const std::uint32_t n = held->structure()->n_objects();
    const test::ScriptedPatch all = test::scripted_patch(*held, PatchKind::kMoved, baseline.size() + 64, {0, n - 1});
    objects.push_back(patch_object("odd: " + name + ", all again", baseline, all.patch));
    for (int i = 0; i < 4; ++i) {
      Bytes target = baseline;
      for (int k = 0; k < 3; ++k)
        target[test::pick(random, 0, target.size() - 1)] ^= static_cast<std::byte>(1u << test::pick(random, 0, 7));
      if (i % 2 == 1)
        target.insert(target.begin() + static_cast<std::ptrdiff_t>(target.size() / 8 * 4), 8, std::byte{});
      objects.push_back(made_patch("odd: " + name + ", edit " + std::to_string(i), baseline, target));
    }
  }
}

// States that nobody holds.
void add_whole(std::vector<Object>& objects) {
  const auto add = [&](const std::string& name, const Bytes& target) {
    objects.push_back(made_patch("whole: " + name, {}, target));
  };
  for (const std::uint32_t n : {1u, 2u, 12u, 40u}) add(std::to_string(n) + " bodies", test::small_world(n).build());
  for (std::uint64_t seed = 100; seed < 116; ++seed) {
    Random random(seed);
    const test::RandomWorld world(random);
    if (world.build().size() < 3000) add("schema " + std::to_string(seed), world.build());
  }
  add("shared", test::shared_layout());
  add("overlapping", test::overlapping_layout());
  add("crowded", test::crowded_layout(3, 60));
  const Bytes target = test::small_world(16).build();
  objects.push_back(made_patch("whole: whatever was held", bytes_of("something"), target));
  Bytes patch;
  make_patch(*Snapshot::empty(), *Snapshot::copy_of(target), patch);
  SYNC_ASSERT(patch[0] == std::byte{0});
  const std::size_t body = read_patch_header(patch)->body_offset;
  Random random(6);
  for (int i = 0; i < 32; ++i) {
    // The excerpt is in front: half of these leave it as it is.
    const std::size_t begin = i % 2 == 0 ? body : body + (patch.size() - body) / 2;
    Bytes bent = patch;
    bent[test::pick(random, begin, bent.size() - 1)] ^= static_cast<std::byte>(1u << test::pick(random, 0, 7));
    objects.push_back(patch_object("whole: bent " + std::to_string(i), {}, bent));
  }
  for (const std::size_t size : {std::size_t{1}, body - 1, body, body + 40, patch.size() - 2}) {
    const Bytes cut(patch.begin(), patch.begin() + static_cast<std::ptrdiff_t>(size));
    objects.push_back(patch_object("whole: cut to " + std::to_string(size), {}, cut));
  }
  Bytes continues = patch;
  continues[0] = std::byte{4};
  objects.push_back(patch_object("whole: continues", {}, continues));
  patch.push_back(std::byte{0});
  patch.push_back(std::byte{0});
  objects.push_back(patch_object("whole: something behind the stream", {}, patch));
  const auto header = [&](const std::string& name, const Bytes& bytes) {
    objects.push_back(patch_object("whole: " + name, {}, bytes));
  };
  header("no excerpt", bytes_of({0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}));
  header("an excerpt larger than the target", bytes_of({0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 9, 1}));
  header("the largest excerpt", bytes_of({0, 0xa0, 0x8d, 0x06, 0, 0, 0, 0, 0, 0, 0, 0, 0xa8, 0xe3, 0x01}));
  header("an excerpt too large", bytes_of({0, 0xa0, 0x8d, 0x06, 0, 0, 0, 0, 0, 0, 0, 0, 0xa9, 0xe3, 0x01}));
  header("no excerpt size", bytes_of({0, 8, 0, 0, 0, 0, 0, 0, 0, 0}));
  header("of nothing", bytes_of({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}));
  header("target above the limit", bytes_of({0, 0xff, 0xff, 0xff, 0x7f, 0, 0, 0, 0, 0, 0, 0, 0, 8, 1}));
  header("target above any limit", bytes_of({0, 0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0, 0, 0, 0, 0, 0, 8, 1}));
}

std::vector<Object> patches(const std::string& folder) {
  Random random(2026);
  std::vector<Object> objects;
  const Bytes base = random_bytes(random, 600);
  Bytes scalar = base;
  scalar[100] ^= std::byte{1};
  scalar[400] ^= std::byte{0x80};
  Bytes inserted = base;
  const Bytes addition = random_bytes(random, 37);
  inserted.insert(inserted.begin() + 200, addition.begin(), addition.end());
  Bytes removed = base;
  removed.erase(removed.begin() + 100, removed.begin() + 148);
  Bytes swapped(base.begin() + 300, base.end());
  swapped.insert(swapped.end(), base.begin(), base.begin() + 300);
  objects.push_back(made_patch("nothing to nothing", {}, {}));
  objects.push_back(made_patch("nothing to something", {}, bytes_of("something")));
  objects.push_back(made_patch("something to nothing", bytes_of("something"), {}));
  objects.push_back(made_patch("nothing changed", base, base));
  objects.push_back(made_patch("two scalars changed", base, scalar));
  objects.push_back(made_patch("insertion", base, inserted));
  objects.push_back(made_patch("removal", base, removed));
  objects.push_back(made_patch("halves swapped", base, swapped));
  objects.push_back(made_patch("unrelated", base, random_bytes(random, 300)));
  objects.push_back(made_patch("several chunks", random_bytes(random, 3000), random_bytes(random, 2500)));

  const Bytes abc = bytes_of("abcdefgh");
  const int copy4 = 4 << 2, copy8 = 8 << 2, add1 = 1 << 2 | 1, lanes1 = 1 << 2 | 3;
  const int seek4 = 8 << 2 | 2, back1 = 1 << 2 | 2;
  objects.push_back(hand_patch("copy", abc, abc, bytes_of({copy8})));
  objects.push_back(hand_patch("seek and copy", abc, bytes_of("efgh"), bytes_of({seek4, copy4})));
  objects.push_back(hand_patch("lane plus one", abc, bytes_of("bbcd"), bytes_of({lanes1, 2})));
  objects.push_back(hand_patch("lane minus one", abc, bytes_of({0x60, 'b', 'c', 'd'}), bytes_of({lanes1, 1})));
  objects.push_back(hand_patch("largest lane difference", bytes_of({0, 0, 0, 0}), bytes_of({0, 0, 0, 0x80}),
                               bytes_of({lanes1, 0xff, 0xff, 0xff, 0xff, 0x0f})));
  objects.push_back(
      hand_patch("unaligned lanes", abc, bytes_of({'f', 'f', 'g', 'h'}), bytes_of({8 << 2 | 2, lanes1, 2})));
  const auto refused = [&](const std::string& name, std::string_view target, std::initializer_list<int> ops) {
    objects.push_back(hand_patch(name, abc, bytes_of(target), bytes_of(ops)));
  };
  refused("copy past the baseline", "abcdefghi", {9 << 2});
  refused("copy past the target", "abcdefg", {copy8});
  refused("copy after copy", "abcd", {2 << 2, 2 << 2});
  refused("add after add", "xy", {add1, 'x', add1, 'y'});
  refused("op of nothing", "abcd", {0, copy4});
  refused("add past the patch", "xy", {2 << 2 | 1, 'x'});
  refused("seek at the end", "abcd", {copy4, seek4});
  refused("seek before add", "x", {seek4, add1, 'x'});
  refused("seek before the baseline", "abcd", {back1, copy4});
  refused("seek past the baseline", "abcd", {18 << 2 | 2, copy4});
  refused("seek after seek", "abcd", {seek4, seek4, copy4});
  refused("huge seek", "abcd", {0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, copy4});
  refused("varint beyond 64 bits", "abcd", {0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, copy4});
  refused("varint longer than needed", "abcd", {lanes1, 0x80, 0x00});
  refused("lane beyond 32 bits", "abcd", {lanes1, 0xff, 0xff, 0xff, 0xff, 0x1f});
  refused("lanes past the baseline", "abcdefghijkl", {3 << 2 | 3, 0, 0, 0});
  refused("lanes past the target", "ab", {lanes1, 0});
  refused("no lane", "abcd", {lanes1});
  refused("target not full", "abcde", {copy4});
  refused("no ops", "abcd", {});
  refused("goes on after the end", "abcd", {copy4, add1, 'x'});
  objects.push_back(hand_patch("wrong digest", abc, bytes_of("abcx"), bytes_of({copy4})));
  objects.push_back(patch_object("no bytes", abc, {}));
  objects.push_back(patch_object("unknown kind", abc, bytes_of({4, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0})));
  objects.push_back(patch_object("other baseline", abc, bytes_of({1, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0})));
  objects.push_back(
      patch_object("target above the limit", abc, bytes_of({1, 8, 0xff, 0xff, 0xff, 0x7f, 0, 0, 0, 0, 0, 0, 0, 0})));
  objects.push_back(patch_object("bytes that continue", abc, bytes_of({5, 8, 8, 0, 0, 0, 0, 0, 0, 0, 0, 32})));
  objects.push_back(patch_object("unknown flag", abc, bytes_of({10, 0, 0, 0, 0, 0, 0, 0, 0})));
  add_structured(objects);
  add_whole(objects);
  add_chains(objects);
  add_scripts(objects, folder + "/scripts.txt");
  add_odd(objects);
  return objects;
}

// --- State frames

Object frame_object(const std::string& name, BytesView bytes) {
  constexpr const char* kKinds[] = {"patch", "full", "chunk diff"};
  const Result<StateFrame> frame = decode_state_frame(bytes, Limits{});
  Object object = {{"name", name}, {"frame", to_hex(bytes)}, {"error", frame ? "" : name_of(frame.error().code)}};
  if (!frame) return object;
  const UpdateHeader& header = frame->header;
  object.insert(object.end(), {{"topic", std::to_string(header.topic.value)},
                               {"version", std::to_string(header.version.value)},
                               {"kind", kKinds[static_cast<std::size_t>(header.kind)]},
                               {"base_version", std::to_string(header.base_version.value)},
                               {"reason", std::to_string(static_cast<int>(header.reason))},
                               {"first", frame->first ? "1" : "0"},
                               {"last", frame->last ? "1" : "0"},
                               {"part", std::to_string(frame->part)},
                               {"total_bytes", std::to_string(frame->total_bytes)},
                               {"body", to_hex(frame->body)}});
  return object;
}

std::vector<Object> frames() {
  std::vector<Object> objects;
  Limits parts;
  parts.max_part_bytes = 5;
  const UpdateHeader patch{TopicId{300}, Version{1'000'000}, UpdateKind::kPatch, Version{999'997}, FullReason::kNone};
  const UpdateHeader full{TopicId{1}, Version{1}, UpdateKind::kFull, Version{}, FullReason::kEpochChanged};
  const UpdateHeader far{TopicId{0xffffffff}, Version{~0ull}, UpdateKind::kPatch, Version{1}, FullReason::kNone};
  const UpdateHeader chunk_diff{TopicId{7}, Version{130}, UpdateKind::kChunkDiff, Version{}, FullReason::kBaselineGone};
  const Bytes body = bytes_of("twelve bytes");
  for (const auto& [name, header] : {std::pair{"patch", patch}, std::pair{"full", full}, std::pair{"far", far},
                                     std::pair{"chunk diff", chunk_diff}}) {
    objects.push_back(frame_object(name, *encode_state_frames(header, body, Limits{})[0]));
    int part = 0;
    for (const SharedBytes& frame : encode_state_frames(header, body, parts)) {
      objects.push_back(frame_object(std::string(name) + ", part " + std::to_string(part++), *frame));
    }
  }
  const int whole = 0b11'00'01, whole_full = 0b11'01'01;
  const std::pair<const char*, Bytes> refused[] = {
      {"no bytes", bytes_of({})},
      {"unknown frame format", bytes_of({whole | 0b01'000000, 1, 2, 1, 0})},
      {"chunk diff without a reason", bytes_of({0b11'10'01, 1, 2, 0, 0})},
      {"unknown kind", bytes_of({0b11'11'01, 1, 2, 1, 0})},
      {"version zero", bytes_of({whole, 1, 0, 1, 0})},
      {"back by nothing", bytes_of({whole, 1, 2, 0, 0})},
      {"back to zero", bytes_of({whole, 1, 2, 2, 0})},
      {"varint longer than needed", bytes_of({whole, 0x81, 0x00, 2, 1, 0})},
      {"topic beyond 32 bits", bytes_of({whole, 0xff, 0xff, 0xff, 0xff, 0x1f, 2, 1, 0})},
      {"no reason", bytes_of({whole_full, 1, 1, 0, 0})},
      {"unknown reason", bytes_of({whole_full, 1, 1, 99, 0})},
      {"first part with another number", bytes_of({0b01'01'01, 1, 1, 1, 1, 9, 0})},
      {"later part with number zero", bytes_of({0b00'01'01, 1, 1, 1, 0, 0})},
      {"total that this part already holds", bytes_of({0b01'01'01, 1, 1, 1, 0, 1, 0})},
      {"total above the limit", bytes_of({0b01'01'01, 1, 1, 1, 0, 0xff, 0xff, 0xff, 0x7f, 0})},
      {"no body", bytes_of({whole, 1, 2, 1})},
  };
  for (const auto& [name, bytes] : refused) objects.push_back(frame_object(name, bytes));
  return objects;
}

// --- Control messages, as C++ writes them

template <typename MessageT>
Object message_object(const std::string& type, std::uint64_t sequence, MessageT message,
                      std::pair<std::string, std::string> sample) {
  return {{"type", type},
          {"sequence", std::to_string(sequence)},
          {"message", to_hex(*encode_message(Sequence{sequence}, std::move(message)))},
          {"sample", sample.first},
          {"value", sample.second}};
}

std::vector<Object> messages() {
  std::vector<Object> objects;
  protocol::WelcomeT welcome;
  welcome.protocol = 1;
  welcome.patch_format = 1;
  welcome.session = std::make_unique<protocol::Id128>(11, 12);
  welcome.server = "libsync 0.1.0";
  welcome.schema_fingerprint = 0xfedcba9876543210;
  welcome.token_expires_in_ms = 86'400'000;
  welcome.limits = std::make_unique<protocol::SessionLimitsT>();
  welcome.limits->max_message_bytes = 65536;
  welcome.limits->heartbeat_interval_ms = 9000;
  objects.push_back(message_object("Welcome", 1, std::move(welcome), {"schema_fingerprint", "fedcba9876543210"}));
  protocol::SubscribedT subscribed;
  subscribed.name = "player/al\u00e9a";
  subscribed.topic = 7;
  subscribed.epoch = 0x0123456789abcdef;
  subscribed.version = 42;
  subscribed.reason = FullReason::kFirst;
  objects.push_back(message_object("Subscribed", 2, std::move(subscribed), {"name", "player/al\u00e9a"}));
  protocol::UnsubscribedT unsubscribed;
  unsubscribed.topic = 7;
  unsubscribed.code = ErrorCode::kUnknownTopic;
  objects.push_back(message_object("Unsubscribed", 3, std::move(unsubscribed), {"code", "3001"}));
  protocol::ActionResultT result;
  result.action_sequence = 5;
  result.status = ActionStatus::kRefused;
  result.code = ErrorCode::kActionRefused;
  result.message = "not enough energy";
  result.visible_at.push_back(std::make_unique<protocol::TopicVersionT>());
  result.visible_at[0]->topic = 1;
  result.visible_at[0]->version = 99;
  result.payload = {1, 2, 3};
  objects.push_back(message_object("ActionResult", 4, std::move(result), {"message", "not enough energy"}));
  protocol::HeartbeatT heartbeat;
  heartbeat.sent_ms = 1234567890123;
  objects.push_back(message_object("Heartbeat", 5, std::move(heartbeat), {"sent_ms", "1234567890123"}));
  protocol::ErrorT error;
  error.code = ErrorCode::kRateLimited;
  error.recovery = protocol::Recovery::kRetryable;
  error.retry_after_ms = 250;
  error.message = "too many messages";
  objects.push_back(message_object("Error", 6, std::move(error), {"retry_after_ms", "250"}));
  protocol::DisconnectT disconnect;
  disconnect.close_code = CloseCode::kServiceRestart;
  disconnect.code = ErrorCode::kShuttingDown;
  disconnect.reconnect = true;
  objects.push_back(message_object("Disconnect", 7, std::move(disconnect), {"close_code", "1012"}));
  return objects;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
    return 2;
  }
  const std::string folder = argv[1];
  write_file(folder + "/digests.json", digests());
  write_file(folder + "/patches.json", patches(folder));
  write_file(folder + "/frames.json", frames());
  write_file(folder + "/messages.json", messages());
  return 0;
}
