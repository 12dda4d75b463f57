// sqlite_store.h: a Store in one SQLite file: write-ahead log, synchronous=FULL, one connection, one thread of its own.
//
// The file: application_id "LSST", user_version 1, one STRICT table record(key, value, checksum), where checksum is the
// XXH3-64 of the key, a zero byte and the value. SQLite itself does not notice when a page rots; this does.
// No other process can open the file meanwhile: locking_mode=EXCLUSIVE.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "store.h"

struct sqlite3;
struct sqlite3_stmt;

namespace libsync::server {

struct SqliteStoreOptions {
  // Commits that wait for the thread; one beyond either bound is answered kStoreUnavailable.
  std::size_t max_queued_commits = 1024;
  std::size_t max_queued_bytes = 256u << 20;  // of keys and values
  // A commit with a larger record is answered kStoreUnavailable.
  int max_record_bytes = 64 << 20;
};

class SqliteStore final : public Store {
 public:
  // Opens the file, or makes it. Blocks: reads the whole file once, to check it.
  // Errors: kStoreUnavailable (cannot be opened, in use by another process, damaged, not a store, of a later version).
  static Result<std::unique_ptr<SqliteStore>> open(const std::string& path, const SqliteStoreOptions& options = {});
  // Finishes what is queued first; every `done` has run when it returns.
  ~SqliteStore() override;

  // Sees all commits asked for before. Must not be called from a `done`: the answer would wait for itself.
  Result<std::vector<SaveRecord>> load(const std::string& prefix) override;

  // All commits that wait while one is written go into the next transaction together, so that they share its fsync.
  // A commit that fails alone (disk full, record too large) writes nothing, the others are unharmed. After an I/O error
  // or damage, the store stops: that commit and all later ones are answered kStoreUnavailable, because after a failed
  // fsync nobody knows what the disk holds (Rebello et al., "Can Applications Recover from fsync Failures?", 2020). The
  // commits under way at that moment may turn out to be on disk after all when the file is opened again.
  void commit(std::vector<SaveRecord> records, std::vector<std::string> removed, Done done) override;

 private:
  struct Closer {
    void operator()(sqlite3* db) const;
    void operator()(sqlite3_stmt* statement) const;
  };
  using Database = std::unique_ptr<sqlite3, Closer>;
  using Statement = std::unique_ptr<sqlite3_stmt, Closer>;

  struct Commit {
    std::vector<SaveRecord> records;
    std::vector<std::string> removed;
    Done done;
    std::size_t size_bytes = 0;
    std::optional<Error> refused;  // answered with this in its turn, not written
  };
  struct Load {
    std::string prefix;
    std::promise<Result<std::vector<SaveRecord>>> answer;
  };

  SqliteStore(Database database, const SqliteStoreOptions& options);

  // Everything from here on runs on the thread, or before it starts.
  std::optional<Error> prepare();
  void run();
  void write_group(std::vector<Commit>& group);
  // Nothing if all of `commits` are on disk; otherwise nothing of them is.
  std::optional<Error> write(std::span<const Commit> commits);
  bool write_one(const Commit& commit);
  Result<std::vector<SaveRecord>> read(const std::string& prefix);
  // Moves the log into the file. What failed here could later be lost in silence, so an error stops the store.
  void checkpoint();
  // Runs a statement without rows. False: see failed_.
  bool step(const Statement& statement);
  // Whether an SQLite result is a good one; if not, keeps it in failed_.
  bool check(int result);
  // Describes failed_, and stops the store unless that was harmless.
  Error note_failure(const char* what);
  void stop(const Error& why);

  const SqliteStoreOptions options_;
  Database database_;  // declared before the statements, which must go first
  Statement begin_, commit_, rollback_, put_, remove_, select_;
  std::optional<Error> stopped_;  // why the store accepts nothing any more
  int failed_ = 0;                // the last bad result of SQLite
  int log_pages_ = 0;             // in the write-ahead log after the last commit

  std::mutex mutex_;  // guards the queue, its two counts and closing_
  std::condition_variable wake_;
  std::deque<std::variant<Commit, Load>> queue_;
  std::size_t queued_commits_ = 0;  // refused ones not counted
  std::size_t queued_bytes_ = 0;
  bool closing_ = false;
  std::thread thread_;
};

}  // namespace libsync::server
