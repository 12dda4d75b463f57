#include "key_file.h"

#include <fcntl.h>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>

namespace libsync::server {
namespace {

constexpr std::size_t kKeyBytes = 32;
constexpr std::size_t kMaxFileBytes = 4096;

Error fail(const std::string& path, const std::string& why) {
  return Error{ErrorCode::kStoreUnavailable, "token key " + path + ": " + why};
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Makes the file if it is not there. Two servers that start at once agree on one key: the second finds the first's
// complete file, because it appears under its name by link(2) only when it is written.
std::optional<Error> create(const std::string& path) {
  std::array<unsigned char, kKeyBytes> secret{};
  if (RAND_bytes(secret.data(), static_cast<int>(secret.size())) != 1) return fail(path, "no randomness");
  std::string text;
  for (const unsigned char byte : secret) {
    constexpr std::string_view kHex = "0123456789abcdef";
    text += kHex[byte >> 4];
    text += kHex[byte & 15];
  }
  text += '\n';

  std::error_code error;
  const std::filesystem::path directory = std::filesystem::path(path).parent_path();
  if (!directory.empty()) std::filesystem::create_directories(directory, error);
  const std::string draft = path + ".new." + std::to_string(::getpid());
  const int fd = ::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return fail(path, std::strerror(errno));
  const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(fd) == 0;
  const int write_errno = errno;
  ::close(fd);
  const bool linked = written && (::link(draft.c_str(), path.c_str()) == 0 || errno == EEXIST);
  const int link_errno = errno;
  ::unlink(draft.c_str());
  if (!written) return fail(path, std::strerror(write_errno));
  if (!linked) return fail(path, std::strerror(link_errno));
  return std::nullopt;
}

}  // namespace

Result<JwtKey> load_key(const std::string& path, bool may_create) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    if (errno != ENOENT || !may_create) return fail(path, std::strerror(errno));
    if (std::optional<Error> error = create(path)) return *error;
    if (::stat(path.c_str(), &status) != 0) return fail(path, std::strerror(errno));
  }
  if ((status.st_mode & 0077) != 0) return fail(path, "is readable by others; chmod 600 it");
  if (!S_ISREG(status.st_mode)) return fail(path, "is no file");

  std::ifstream file(path, std::ios::binary);
  std::string text(kMaxFileBytes, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.pop_back();
  if (text.size() < 2 * kKeyBytes || text.size() % 2 != 0) return fail(path, "is not 64 or more hex digits");
  JwtKey key;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = hex_value(text[i]);
    const int low = hex_value(text[i + 1]);
    if (high < 0 || low < 0) return fail(path, "is not 64 or more hex digits");
    key.secret.push_back(static_cast<char>(high << 4 | low));
  }
  return key;
}

}  // namespace libsync::server
