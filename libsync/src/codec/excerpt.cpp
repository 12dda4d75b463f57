#include "codec/excerpt.h"

#include <algorithm>
#include <map>
#include <vector>

namespace libsync::codec {
namespace {

// Enough for the stride of data to be found as it is in the whole.
constexpr std::uint32_t kMostElements = 16;

class Extractor {
 public:
  Extractor(const Structure& structure, BytesView bytes) : structure_(structure), bytes_(bytes.data()) {
    examples_.resize(structure.types().size());
    for (std::uint32_t type = 2; type < examples_.size(); ++type) choose(type);
  }

  Excerpt run() {
    Excerpt excerpt;
    keep(0);
    keep(load32(bytes_));
    // References lead to what is behind them, so this list grows while it is walked.
    for (auto at = kept_.begin(); at != kept_.end(); ++at) follow(at->second.object);
    std::uint32_t end = 0;
    for (auto& [start, kept] : kept_) {
      kept.start = end + ((start - end) & 7);
      end = kept.start + kept.size;
    }
    const std::uint32_t size = (end + 3) & ~3u;
    if (size > max_excerpt_bytes(structure_.size_bytes) || is_odd_) return excerpt;
    excerpt.bytes.resize(size);
    for (const auto& [start, kept] : kept_) {
      write(kept, excerpt.bytes);
      if (kept.n == 0) excerpt.same.emplace_back(start, kept.start);
    }
    return excerpt;
  }

 private:
  struct Kept {
    Object object;
    std::uint32_t size = 0;   // of what is kept of it
    std::uint32_t n = 0;      // elements, of vectors
    std::uint32_t start = 0;  // in the excerpt
  };

  // The last of each vtable: of tables that refer to their own type these are those that can be reached from the most.
  void choose(std::uint32_t type) {
    const std::vector<std::uint32_t>& starts = structure_.groups[type].starts;
    std::vector<std::uint32_t>& examples = examples_[type];
    switch (structure_.types()[type].kind) {
      case Kind::kTable: {
        std::vector<bool> has(structure_.shapes().size());
        std::size_t left = structure_.types()[type].shapes.size();
        for (std::size_t i = starts.size(); i-- > 0 && left > 0;) {
          const std::uint32_t shape = structure_.object(starts[i]).shape;
          if (has[shape]) continue;
          has[shape] = true;
          --left;
          examples.push_back(starts[i]);
        }
        std::reverse(examples.begin(), examples.end());
        break;
      }
      case Kind::kReferences: break;
      case Kind::kData: {
        // One with enough elements, or else the longest.
        std::uint32_t most = 0;
        for (std::size_t i = starts.size(); i-- > 0 && most < kMostElements;) {
          const std::uint32_t n = load32(bytes_ + starts[i]);
          if (!examples.empty() && n <= most) continue;
          examples.assign(1, starts[i]);
          most = n;
        }
        break;
      }
      default:
        if (!starts.empty()) examples.push_back(starts.back());
    }
  }

  void keep(std::uint32_t start) {
    const Object object = structure_.object(start);
    // Something else has taken these bytes. Honest snapshots have no such thing.
    if (object.start != start) is_odd_ = true;
    auto [at, is_new] = kept_.try_emplace(object.start);
    if (!is_new) return;
    Kept& kept = at->second;
    kept.object = object;
    const Type& type = structure_.types()[object.type];
    const std::uint32_t count = object.size() >= 4 ? load32(bytes_ + object.start) : 0;
    switch (type.kind) {
      case Kind::kOther: kept.size = std::min(object.size(), 8u); break;
      case Kind::kVTable: kept.size = structure_.shapes()[object.shape].size; break;
      case Kind::kTable: kept.size = structure_.shapes()[object.shape].table_size; break;
      case Kind::kText: kept.size = std::min(5 + count, object.size()); break;
      case Kind::kReferences: {
        kept.size = 4;
        if (type.element == kNone) break;
        const std::vector<std::uint32_t>& examples = examples_[type.element];
        kept.n = static_cast<std::uint32_t>(examples.end() -
                                            std::upper_bound(examples.begin(), examples.end(), object.start));
        kept.size = 4 + 4 * kept.n;
        break;
      }
      case Kind::kData:
        kept.n = std::min(count, kMostElements);
        kept.size = std::min(4 + kept.n * type.stride, object.size());
        break;
    }
  }

  // What the field at `position` refers to in the excerpt: an example behind it, or else the first of this type that is
  // behind it; of vectors always that one, so that the most examples of their elements are behind them. kNone: nothing.
  std::uint32_t example(std::uint32_t type, std::uint32_t position) const {
    for (const std::vector<std::uint32_t>* starts : {&examples_[type], &structure_.groups[type].starts}) {
      const auto at = std::upper_bound(starts->begin(), starts->end(), position);
      if (at != starts->end()) return *at;
    }
    return kNone;
  }

  template <typename Visit>
  void for_each_reference(const Object& table, Visit visit) const {
    const Shape& shape = structure_.shapes()[table.shape];
    const Type& type = structure_.types()[table.type];
    for (const std::uint16_t field : shape.present) {
      const std::uint32_t child = field < type.fields.size() ? type.fields[field].child : kNone;
      if (child == kNone || shape.widths[field] < 4) continue;
      const std::uint32_t at = table.start + shape.offsets[field], to = example(child, at);
      if (to != kNone) visit(at, to);
    }
  }

  void follow(const Object& object) {
    const Type& type = structure_.types()[object.type];
    if (type.kind == Kind::kTable) {
      keep(object.start - load32(bytes_ + object.start));
      for_each_reference(object, [&](std::uint32_t, std::uint32_t to) { keep(to); });
    } else if (type.kind == Kind::kReferences && type.element != kNone) {
      for (const std::uint32_t to : examples_[type.element])
        if (to > object.start) keep(to);
    }
  }

  void write(const Kept& kept, Bytes& out) const {
    const Object& object = kept.object;
    std::byte* to = out.data() + kept.start;
    std::copy_n(bytes_ + object.start, kept.size, to);
    const auto refer = [&](std::uint32_t at, std::uint32_t target) {
      const std::uint32_t place = kept.start + at - object.start;
      store32(out.data() + place, kept_.at(target).start - place);
    };
    const Type& type = structure_.types()[object.type];
    switch (type.kind) {
      case Kind::kOther: store32(to, kept_.at(load32(bytes_)).start); break;
      case Kind::kTable:
        store32(to, kept.start - kept_.at(object.start - load32(bytes_ + object.start)).start);
        for_each_reference(object, refer);
        break;
      case Kind::kReferences: {
        store32(to, kept.n);
        if (kept.n == 0) break;
        const std::vector<std::uint32_t>& examples = examples_[type.element];
        for (std::uint32_t i = 0; i < kept.n; ++i)
          refer(object.start + 4 + 4 * i, examples[examples.size() - kept.n + i]);
        break;
      }
      case Kind::kData: store32(to, kept.n); break;
      default: break;
    }
  }

  const Structure& structure_;
  const std::byte* bytes_;
  std::vector<std::vector<std::uint32_t>> examples_;  // [types] ascending starts
  std::map<std::uint32_t, Kept> kept_;                // by start in the whole
  bool is_odd_ = false;
};

}  // namespace

Excerpt excerpt_of(const Structure& structure, BytesView bytes) { return Extractor(structure, bytes).run(); }

}  // namespace libsync::codec
