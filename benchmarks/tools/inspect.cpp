// inspect.cpp: libsync-inspect: what a patch contains, and what each part of it costs.
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "byte_reader.h"
#include "codec/contents.h"
#include "libsync/patch.h"
#include "trace_reader.h"

namespace libsync::tools {
namespace {

using codec::Part;

constexpr const char* kUsage =
    "libsync-inspect [--baseline FILE] PATCH\n"
    "libsync-inspect --trace FILE N\n\n"
    "Prints what a patch contains.\n"
    "  PATCH            the bytes of a patch. With --baseline, the bytes it was made for: also what each part costs\n"
    "  --trace FILE N   makes the patches of a recorded trace and shows the one that leads to snapshot N;\n"
    "                   0: the one that holds the first whole\n"
    "Ends with 1 when the patch is malformed or does not fit, 2 when an argument or a file is not understood.\n";

constexpr std::array<const char*, codec::kParts> kPartNames = {"where objects come from",
                                                               "elements of vectors",
                                                               "which columns",
                                                               "which rows",
                                                               "values",
                                                               "new objects",
                                                               "strings",
                                                               "an excerpt: one object of everything"};

// A Decoder that keeps account of what everything costs: the bits that its probability is worth.
class CountingDecoder {
 public:
  static constexpr bool kDecodes = true;

  explicit CountingDecoder(BytesView input) : decoder_(input) {}

  void begin(Part part, std::uint32_t type) {
    part_ = part;
    type_ = type;
  }
  void begin(Part part) {
    part_ = part;
    if (part == Part::kValues) ++n_values_[type_];
  }
  std::uint32_t nibble(codec::Nibble& model, std::uint32_t = 0) {
    const codec::Nibble before = model;
    const std::uint32_t symbol = decoder_.nibble(model);
    add(before.above(symbol) - before.below(symbol));
    return symbol;
  }
  bool bit(codec::Bit& model, bool = false) {
    const std::uint32_t no = model.no;
    const bool yes = decoder_.bit(model);
    add(yes ? codec::kProbabilityOne - no : no);
    return yes;
  }
  std::uint32_t raw(unsigned n, std::uint32_t = 0) {
    bits_[{part_, type_}] += n;
    return decoder_.raw(n);
  }
  std::uint32_t number(codec::Number& model, std::uint32_t = 0) {
    std::uint32_t length = nibble(model.length);
    if (length == 15) length += nibble(model.longer);
    return (raw(length) | 1u << length) - 1;
  }
  bool at_end() const { return decoder_.at_end(); }

  const std::map<std::pair<Part, std::uint32_t>, double>& bits() const { return bits_; }
  std::size_t n_values(std::uint32_t type) const {
    const auto found = n_values_.find(type);
    return found == n_values_.end() ? 0 : found->second;
  }

 private:
  void add(std::uint32_t probability) {
    bits_[{part_, type_}] -= std::log2(static_cast<double>(probability) / codec::kProbabilityOne);
  }

  codec::Decoder decoder_;
  Part part_ = Part::kObjects;
  std::uint32_t type_ = 0;
  std::map<std::pair<Part, std::uint32_t>, double> bits_;
  std::map<std::uint32_t, std::size_t> n_values_;
};

const char* name_of(codec::Kind kind) {
  constexpr std::array<const char*, 6> kNames = {"other bytes",          "vtable", "table",
                                                 "vector of references", "string", "vector of data"};
  return kNames[static_cast<std::size_t>(kind)];
}

void print_type(const codec::Structure& structure, std::uint32_t type) {
  const codec::Type& what = structure.types()[type];
  std::printf("type %u: %zu x %s", type, structure.groups[type].starts.size(), name_of(what.kind));
  if (what.kind == codec::Kind::kTable) std::printf(" of %zu fields", what.fields.size());
  if (what.kind == codec::Kind::kData) std::printf(" of %u bytes", what.stride);
}

void print_header(const PatchHeader& header, std::size_t patch_size) {
  constexpr std::array<const char*, 4> kKinds = {"whole", "bytes", "in place", "moved"};
  std::printf("kind            %s%s\n", kKinds[static_cast<std::size_t>(header.kind)],
              header.continues ? ", continues a context" : "");
  if (header.baseline_size_bytes) std::printf("baseline        %zu bytes\n", *header.baseline_size_bytes);
  if (header.excerpt_size_bytes) std::printf("excerpt         %zu bytes\n", *header.excerpt_size_bytes);
  if (header.target_size_bytes) std::printf("target          %zu bytes\n", *header.target_size_bytes);
  std::printf("digest          %016llx\n", static_cast<unsigned long long>(header.digest.value));
  std::printf("patch           %zu bytes: header %zu, body %zu\n", patch_size, header.body_offset,
              patch_size - header.body_offset);
}

// The ops of kBytes, one a line. False: malformed.
bool print_ops(BytesView body) {
  constexpr std::array<const char*, 4> kOps = {"copy", "add", "seek", "lanes"};
  ByteReader reader(body);
  while (!reader.at_end()) {
    std::uint64_t op = 0;
    if (!reader.read_varint(op, ~std::uint64_t{0})) return false;
    std::uint64_t count = op >> 2;
    const bool is_back = (op & 3) == 2 && count % 2 != 0;
    if ((op & 3) == 2) count = count / 2 + count % 2;
    std::printf("  %-6s %s%llu\n", kOps[op & 3], is_back ? "-" : "", static_cast<unsigned long long>(count));
    BytesView skipped;
    if ((op & 3) == 1 && !reader.read_bytes(count, skipped)) return false;
    if ((op & 3) != 3) continue;
    for (std::uint64_t lane = 0, value = 0; lane < count; ++lane) {
      if (!reader.read_varint(value, 0xffffffff)) return false;
    }
  }
  return true;
}

// What each part costs; `context` is at the baseline.
bool print_parts(const PatchHeader& header, BytesView body, codec::Context context, BytesView baseline) {
  CountingDecoder decoder(body);
  Bytes target(baseline.begin(), baseline.end());
  bool fits = false;
  if (header.kind == PatchKind::kInPlace) {
    fits = codec::decode_types(context, decoder, target.data(), [](std::uint32_t, std::uint32_t) {});
  } else if (header.kind == PatchKind::kWhole) {
    target.assign(*header.target_size_bytes, std::byte{0});
    fits = codec::decode_whole(context, decoder, *header.excerpt_size_bytes, target);
  } else {
    target.assign(header.target_size_bytes.value_or(0), std::byte{0});
    fits = codec::decode_objects(context, decoder, baseline, target);
  }
  if (!fits || digest_of(target) != header.digest) {
    std::printf("does not fit this baseline\n");
    return false;
  }
  constexpr double kWorthTelling = 0.8;  // bits
  std::printf("\n%10s  part\n", "bytes");
  for (const auto& [what, bits] : decoder.bits()) {
    const auto& [part, type] = what;
    if (bits < kWorthTelling) continue;
    std::printf("%10.1f  %s", bits / 8, kPartNames[static_cast<std::size_t>(part)]);
    if (part != Part::kObjects && part != Part::kElements && part != Part::kExcerpt) {
      std::printf(", ");
      print_type(*context.structure, type);
    }
    if (part == Part::kValues) std::printf(": %zu values", decoder.n_values(type));
    std::printf("\n");
  }
  return true;
}

// `context`: at the baseline, if the patch continues it. False: malformed, or it does not fit.
bool inspect(BytesView patch, const Snapshot* baseline, PatchContext context) {
  const Result<PatchHeader> header = read_patch_header(patch);
  if (!header) {
    std::printf("%s\n", header.error().detail.c_str());
    return false;
  }
  print_header(*header, patch.size());
  const BytesView body = patch.subspan(header->body_offset);
  if (header->kind == PatchKind::kBytes) return print_ops(body);
  if (header->kind == PatchKind::kWhole) return print_parts(*header, body, codec::new_context(nullptr), {});
  if (baseline == nullptr) return true;
  std::unique_ptr<codec::Context> state = header->continues ? context.release() : nullptr;
  if (header->continues && state == nullptr) {
    std::printf("continues a context: only a trace can tell what it says\n");
    return true;
  }
  if (state == nullptr) state = std::make_unique<codec::Context>(codec::new_context(baseline->structure()));
  return print_parts(*header, body, std::move(*state), baseline->bytes());
}

std::optional<Bytes> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    std::fprintf(stderr, "libsync-inspect: cannot read %s\n", path.c_str());
    return std::nullopt;
  }
  const std::vector<char> chars{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  const auto* bytes = reinterpret_cast<const std::byte*>(chars.data());
  return Bytes(bytes, bytes + chars.size());
}

int inspect_trace(const std::string& path, std::string_view number) {
  std::size_t wanted = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), wanted);
  const Result<traces::TraceReader> trace = traces::TraceReader::open(path);
  if (!trace) {
    std::fprintf(stderr, "libsync-inspect: %s\n", trace.error().detail.c_str());
    return 2;
  }
  if (error != std::errc() || end != number.data() + number.size() || wanted >= trace->size()) {
    std::fprintf(stderr, "libsync-inspect: %s has snapshots 0 to %zu\n", path.c_str(), trace->size() - 1);
    return 2;
  }
  PatchContext context;
  SnapshotPtr held = Snapshot::empty();
  for (std::size_t i = 0; i <= wanted; ++i) {
    const PatchContext before = i == wanted ? context : PatchContext();
    const SnapshotPtr next = Snapshot::copy_of(trace->snapshot(i));
    Bytes patch;
    make_patch(*held, *next, patch, kPatchFormat, &context);
    if (i == wanted) return inspect(patch, held.get(), before) ? 0 : 1;
    held = next;
  }
  return 2;
}

int run(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() == 1 && (arguments[0] == "--help" || arguments[0] == "-h")) {
    std::fputs(kUsage, stdout);
    return 0;
  }
  if (arguments.size() == 3 && arguments[0] == "--trace") return inspect_trace(arguments[1], arguments[2]);
  const bool has_baseline = arguments.size() == 3 && arguments[0] == "--baseline";
  if (!has_baseline && (arguments.size() != 1 || arguments[0].starts_with("--"))) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  const std::optional<Bytes> patch = read_file(arguments.back());
  if (!patch) return 2;
  if (!has_baseline) return inspect(*patch, nullptr, {}) ? 0 : 1;
  const std::optional<Bytes> bytes = read_file(arguments[1]);
  if (!bytes) return 2;
  const SnapshotPtr baseline = Snapshot::copy_of(*bytes);
  return inspect(*patch, baseline.get(), {}) ? 0 : 1;
}

}  // namespace
}  // namespace libsync::tools

int main(int argc, char** argv) { return libsync::tools::run(argc, argv); }
