#include "codec/align/target_reader.h"

#include <algorithm>

namespace libsync::codec {

std::uint32_t TargetReader::core_of(std::uint32_t type, std::uint32_t start, std::uint32_t end) const {
  if (end - start < 4) return 0;
  const std::byte* at = sides_.new_bytes + start;
  const Type& what = sides_.types()[type];
  const std::uint64_t count = load32(at);
  std::uint64_t core = 0;
  switch (what.kind) {
    case Kind::kText: core = 5 + count; break;
    case Kind::kReferences: core = 4 + 4 * count; break;
    case Kind::kData: core = 4 + what.stride * count; break;
    default: return 0;
  }
  if (core > end - start || (what.kind == Kind::kText && at[4 + count] != std::byte{0})) return 0;
  return static_cast<std::uint32_t>(core);
}

std::uint32_t TargetReader::core_like(Object& object, std::uint32_t end) {
  const Kind kind = sides_.types()[object.type].kind;
  if (kind != Kind::kTable && kind != Kind::kVTable)
    return kind != Kind::kOther && object.start % 4 == 0 ? core_of(object.type, object.start, end) : 0;
  const bool is_table = kind == Kind::kTable;
  const std::uint32_t type = vtables_.shape(object.shape).type;
  object.shape = is_table ? vtables_.shape_of(object.start) : vtables_.at(object.start);
  if (object.shape == kNone && is_table) object.shape = vtables_.learn(object.start, type);
  if (object.shape == kNone || vtables_.shape(object.shape).type != type) return 0;
  const Shape& shape = vtables_.shape(object.shape);
  const std::uint32_t core = is_table ? shape.table_size : shape.size;
  return core <= end - object.start ? core : 0;
}

std::uint32_t TargetReader::core_of_new_vtable(Object& vtable, std::uint32_t type) {
  const std::uint32_t table = table_behind(vtable.start);
  if (table == kNone || vtables_.shape_of(table) != kNone) return 0;
  vtable.shape = vtables_.learn(table, type);
  return vtable.shape == kNone ? 0 : vtables_.shape(vtable.shape).size;
}

bool TargetReader::is_padding(std::uint32_t begin, std::uint32_t end) const {
  return end - begin < 8 && std::all_of(sides_.new_bytes + begin, sides_.new_bytes + end,
                                        [](std::byte byte) { return byte == std::byte{0}; });
}

std::uint32_t TargetReader::table_behind(std::uint32_t vtable) const {
  if (vtable % 2 != 0 || sides_.new_size - vtable < 8) return kNone;
  const std::uint32_t size = load16(sides_.new_bytes + vtable);
  if (size < 4) return kNone;
  for (std::uint32_t at = (vtable + size + 3) / 4 * 4; at < vtable + size + 8; at += 4) {
    if (at < sides_.new_size && sides_.new_size - at >= 4 && load32(sides_.new_bytes + at) == at - vtable) return at;
  }
  return kNone;
}

}  // namespace libsync::codec
