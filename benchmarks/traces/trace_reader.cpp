#include "trace_reader.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

namespace libsync::traces {
namespace {

constexpr char kMagic[] = "FBTRACE1";
constexpr std::size_t kHeaderBytes = 16;

std::uint32_t read_u32(BytesView bytes, std::size_t offset) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value |= std::to_integer<std::uint32_t>(bytes[offset + i]) << (8 * i);
  return value;
}

// Of an open file; empty when that fails.
BytesView map(int file) {
  struct stat status {};
  if (::fstat(file, &status) != 0 || status.st_size <= 0) return {};
  const auto size = static_cast<std::size_t>(status.st_size);
  void* const address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
  if (address == MAP_FAILED) return {};
  return {static_cast<const std::byte*>(address), size};
}

}  // namespace

Result<TraceReader> TraceReader::open(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return Error{ErrorCode::kMalformed, path + ": " + std::strerror(errno)};
  TraceReader reader(map(file));
  ::close(file);
  if (const char* problem = reader.parse()) return Error{ErrorCode::kMalformed, path + ": " + problem};
  return reader;
}

TraceReader::TraceReader(TraceReader&& other) noexcept
    : file_(std::exchange(other.file_, {})), snapshots_(std::move(other.snapshots_)) {}

TraceReader::~TraceReader() {
  if (!file_.empty()) ::munmap(const_cast<std::byte*>(file_.data()), file_.size());
}

const char* TraceReader::parse() {
  if (file_.size() < kHeaderBytes || std::memcmp(file_.data(), kMagic, 8) != 0) return "not a trace";
  const std::uint32_t count = read_u32(file_, 8);
  if (read_u32(file_, 12) != 0) return "not a trace of this version";
  if (count == 0 && file_.size() > kHeaderBytes) return "was not closed by its writer";
  std::size_t offset = kHeaderBytes;
  // Grows with what is there, not with what the header promises.
  for (std::uint32_t i = 0; i < count; ++i) {
    if (file_.size() - offset < 4) return "cut short";
    const std::uint32_t size = read_u32(file_, offset);
    offset += 4;
    if (size > file_.size() - offset) return "cut short";
    snapshots_.push_back(file_.subspan(offset, size));
    offset += size;
  }
  return offset == file_.size() ? nullptr : "bytes after the last snapshot";
}

}  // namespace libsync::traces
