// Runs that are merged, engines that are written out and read back.
#include <cerrno>
#include <cstdio>
#include <string>
#include <vector>

#include "../engine/merge.h"
#include "check.h"

namespace tf {

// Three runs of lines in memory, read a few bytes at a time.
static void merging() {
  struct Memory {
    std::string text;
    std::vector<PartKey> keys;
    size_t text_at = 0, keys_at = 0;
  };
  auto reader = [](const uint8_t* data, size_t len, size_t* at) {
    return [=](uint8_t* into, size_t most) -> int64_t {
      size_t n = std::min({most, len - *at, static_cast<size_t>(7)});
      if (n) memcpy(into, data + *at, n);
      *at += n;
      return static_cast<int64_t>(n);
    };
  };
  Memory memory[3];
  std::vector<std::string> all;
  for (int i = 0; i < 300; i++) {
    char line[64];
    snprintf(line, sizeof line, "%05d %s\n", i, std::string(static_cast<size_t>(i % 40), 'x').c_str());
    all.push_back(line);
    Memory& m = memory[i % 7 % 3];
    PartKey k{};
    k.seconds = i / 100, k.nanos = static_cast<uint32_t>(i / 10 % 10), k.packet = i % 10 / 2, k.id[0] = static_cast<uint8_t>(i % 2);
    k.length = static_cast<uint32_t>(all.back().size());
    m.text += all.back();
    m.keys.push_back(k);
  }
  auto merged = [&](std::string& out) {
    std::vector<RunReader> runs;
    for (Memory& m : memory) {
      m.text_at = m.keys_at = 0;
      runs.push_back({reader(reinterpret_cast<const uint8_t*>(m.text.data()), m.text.size(), &m.text_at),
                      reader(reinterpret_cast<const uint8_t*>(m.keys.data()), m.keys.size() * sizeof(PartKey), &m.keys_at)});
    }
    return merge_runs(runs, [&](const uint8_t* p, size_t n) {
      out.append(reinterpret_cast<const char*>(p), n);
      return true;
    });
  };
  std::string want, got;
  for (const std::string& line : all) want += line;
  check(merged(got) == 0 && got == want, "runs merge by seconds, nanoseconds, packet and id");
  memory[1].text.resize(memory[1].text.size() - 3);
  got.clear();
  check(merged(got) == -EIO, "a run shorter than its keys say is an error");
}

// A snapshot cut short, or of another shard, is refused and frees what it made.
static void snapshots() {
  Options o;
  Engine engine(o);
  std::vector<uint8_t> file = pcap_head(1), frame(60);
  frame[12] = 8, frame[14] = 0x45, frame[17] = 46, frame[23] = 17, frame[37] = 53, frame[39] = 26;
  Outcome whole = run_capture(file.data(), file.size(), 4096, 1);
  for (int i = 0; i < 20; i++) {
    frame[33] = static_cast<uint8_t>(i / 2);
    frame[29] = 9;
    pcap_add(file, static_cast<uint32_t>(i), frame.data(), frame.size());
  }
  whole = run_capture(file.data(), file.size(), 4096, 1);
  check(whole.flows == 10, "ten conversations");
  for (size_t segment : {1, 3, 7}) {
    Outcome cut = run_capture(file.data(), file.size(), 4096, 1, Overlap::linux_, false, nullptr, segment);
    check(cut.sum == whole.sum && cut.events == whole.events, "the same events when the engine is written out and read back in between");
  }
  std::vector<uint8_t> bytes;
  SnapshotOut out([&](const uint8_t* p, size_t n) { bytes.insert(bytes.end(), p, p + n); });
  engine.save(out);
  auto restored = [&](size_t length, Options options) {
    bool given = false;
    SnapshotIn in([&](std::vector<uint8_t>& into) {
      if (given) return false;
      into.assign(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length));
      return given = true;
    });
    Engine e(options);
    return e.restore(in);
  };
  check(restored(bytes.size(), o), "a whole snapshot is read");
  bool refused = true;
  for (size_t n = 0; n < bytes.size(); n++) refused = refused && !restored(n, o);
  check(refused, "a snapshot cut short anywhere is refused");
  Options other;
  other.shards = 2;
  check(!restored(bytes.size(), other), "a snapshot of another shard is refused");
}

// The table of flows grows while they are open, and each is found again.
static void many() {
  std::vector<uint8_t> file = pcap_head(101);
  constexpr uint32_t kMany = 20000;
  for (uint32_t i = 0; i < 2 * kMany; i++) {
    std::vector<uint8_t> p = bytes("4500001d00000000401100000a0000000a0000ff" "1000000900090000" "61");
    put_be16(&p[14], static_cast<uint16_t>(i % kMany % 200));
    put_be16(&p[20], static_cast<uint16_t>(1024 + i % kMany / 200));
    pcap_add(file, 1000, p.data(), p.size());
  }
  check(run_capture(file.data(), file.size(), 1 << 16, 1).flows == kMany, "two packets each of twenty thousand flows are twenty thousand flows");
}

// Times that jump to and fro by more than a century: the clock grows until its end and does not wrap, so a flow ends the same in any shard.
static void centuries() {
  std::vector<uint8_t> file = pcap_head(101);
  for (uint32_t i = 0; i < 60; i++) {
    std::vector<uint8_t> p = bytes("4500001d00000000401100000a0000010a0000ff" "1000000900090000" "61");
    put_be16(&p[20], static_cast<uint16_t>(1024 + i % 7));
    pcap_add(file, i % 2 ? 0xfffffff0u : 10u, p.data(), p.size());
  }
  Outcome one = run_capture(file.data(), file.size(), 1 << 16, 1), more = run_capture(file.data(), file.size(), 1 << 16, 3);
  check(one.flows == more.flows && one.flows > 7, "a capture of many centuries has the same flows in any number of shards");
}

// A flow that TypeScript keeps nothing of is opened again with its next bytes, and told whole where it closes.
static void forgotten(uint64_t quiet) {
  std::vector<uint8_t> packet = bytes("4500001d00000000401100000a0000010a0000ff" "1000003500090000" "61");
  std::vector<EventRow> event_rows(kReserveRows * 2);
  std::vector<double> closed(static_cast<size_t>(kColumns) * kReserveClosed * 4);
  std::vector<char> text(kReserveText * 2);
  std::vector<uint8_t> arena(kReserveArena * 2);
  Batch b;
  b.rows = event_rows.data(), b.row_capacity = static_cast<uint32_t>(event_rows.size());
  b.closed = closed.data(), b.closed_capacity = static_cast<uint32_t>(closed.size() / kColumns);
  b.text = text.data(), b.text_capacity = static_cast<uint32_t>(text.size());
  b.arena = arena.data(), b.arena_capacity = static_cast<uint32_t>(arena.size());
  auto told = [&] {
    std::string s;
    for (uint32_t i = 0; i < b.row_count; i++) {
      const EventRow& r = b.rows[i];
      if (r.type == static_cast<uint32_t>(Event::note)) continue;
      s += (r.type == static_cast<uint32_t>(Event::open) ? "open " : r.type == static_cast<uint32_t>(Event::datagram) ? "datagram " : "close ");
      if (r.text_length) s += std::string(b.text + r.text, std::min<uint32_t>(r.text_length, 19)) + " ";
    }
    return s;
  };
  Options options;
  options.quiet = quiet;
  Engine engine(options);
  engine.interfaces({101});
  uint64_t number = 1;
  auto push = [&] {
    IndexRow row{};
    row.caplen = row.length = static_cast<uint32_t>(packet.size());
    b.clear();
    engine.push(&row, 1, number++, packet.data(), 0, packet.size(), b);
    return told();
  };
  std::string first = push();
  check(first.rfind("open 10.0.0.1", 0) == 0 && first.find("datagram") != std::string::npos, "a flow opens with its first bytes");
  check(push() == "datagram ", "and only once");
  uint32_t slot = b.rows[0].flow;
  engine.forget(slot, 0xffffff);
  check(push() == "datagram ", "who has its slot is not it");
  for (uint32_t serial = 0; serial < 4; serial++) engine.forget(slot, serial);
  check(push() == first, "a forgotten flow opens again");
  for (uint32_t serial = 0; serial < 4; serial++) engine.forget(slot, serial);
  b.clear();
  engine.finish(0, b);
  check(told().rfind("close 10.0.0.1", 0) == 0, "and is told whole with its close");
}

void engines() {
  for (uint64_t quiet : {uint64_t{0}, kQuiet}) forgotten(quiet);
  centuries();
  many();
  merging();
  snapshots();
}

}  // namespace tf
