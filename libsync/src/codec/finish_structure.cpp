#include "codec/finish_structure.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "codec/stride.h"

namespace libsync::codec {
namespace {

void finish_data(Type& type, BytesView bytes, const Starts& all, const std::vector<std::uint32_t>& starts) {
  const auto size_of = [&](std::uint32_t start) { return all.next(start) - start; };
  type.stride = stride_of(bytes.data(), starts, [&](std::size_t i) { return std::max(size_of(starts[i]), 4u) - 4; });
  type.is_aligned = type.stride != 0 && type.stride % 8 == 0 &&
                    std::all_of(starts.begin(), starts.end(), [](std::uint32_t start) { return start % 8 == 4; });
  type.is_whole = !(type.stride >= 8 && starts.size() < 8) &&
                  std::all_of(starts.begin(), starts.end(), [&](std::uint32_t start) { return size_of(start) <= 64; });
}

// Bytes that an object needs.
std::uint64_t core_of(const Structure& structure, BytesView bytes, const Object& object) {
  const Type& type = structure.types()[object.type];
  const auto count = [&] { return std::uint64_t{load32(bytes.data() + object.start)}; };
  switch (type.kind) {
    case Kind::kOther: return object.size();
    case Kind::kVTable: return structure.shapes()[object.shape].size;
    case Kind::kTable: return structure.shapes()[object.shape].table_size;
    case Kind::kReferences: return 4 + 4 * count();
    case Kind::kText: return 5 + count();
    case Kind::kData: break;
  }
  return 4 + type.stride * count();
}

}  // namespace

void drop_unused_shapes(Schema& schema, std::vector<std::vector<Found>>& found) {
  std::vector<std::uint32_t> moved_to(schema.shapes.size());
  std::uint32_t n = 0;
  for (std::uint32_t shape = 0; shape < schema.shapes.size(); ++shape) {
    if (schema.shapes[shape].type == kNone) continue;
    moved_to[shape] = n;
    if (n != shape) schema.shapes[n] = std::move(schema.shapes[shape]);
    ++n;
  }
  schema.shapes.resize(n);
  for (Type& type : schema.types) {
    for (std::uint32_t& shape : type.shapes) shape = moved_to[shape];
  }
  for (std::vector<Found>& of_type : found) {
    for (Found& object : of_type) object.shape = object.shape == kNone ? kNone : moved_to[object.shape];
  }
}

Structure finish_structure(BytesView bytes, Schema schema, const std::vector<std::vector<Found>>& found) {
  std::size_t n = 0;
  for (const std::vector<Found>& of_type : found) n += of_type.size();
  std::vector<Found> all;
  all.reserve(n);
  for (const std::vector<Found>& of_type : found) all.insert(all.end(), of_type.begin(), of_type.end());
  for (Type& type : schema.types) {
    for (const std::uint32_t shape : type.shapes) assign_columns(schema.shapes[shape], type);
  }
  const auto shared = std::make_shared<Schema>(std::move(schema));
  Structure structure;
  structure.schema = shared;
  structure.size_bytes = static_cast<std::uint32_t>(bytes.size());
  structure.assemble(all);
  for (std::uint32_t t = 0; t < shared->types.size(); ++t) {
    if (shared->types[t].kind == Kind::kData)
      finish_data(shared->types[t], bytes, structure.starts, structure.groups[t].starts);
  }
  structure.count_rows();
  structure.for_each(0, structure.size_bytes, [&](const Object& object) {
    const std::uint64_t core = core_of(structure, bytes, object);
    if (object.size() > core + 11) structure.n_unexplained += object.size() - core - 11;
  });
  return structure;
}

}  // namespace libsync::codec
