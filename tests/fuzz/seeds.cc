// fuzz_seeds DIR: writes inputs for the fuzzers to begin with into DIR/TARGET/, made by our own
// encoders and from the specifications' examples. `./dev fuzz` gives them to each run beside the
// corpus.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "relay/brokers/redis_envelope.h"
#include "relay/handover/memory_broker_codec.h"
#include "relay/handover/redis_channels_codec.h"
#include "relay/handover/redis_push_codec.h"
#include "relay/handover/redis_subscriptions_codec.h"
#include "relay/handover/router_codec.h"
#include "tests/unit/gateway/proxy_samples.h"
#include "tests/unit/proto/samples.h"
#include "tests/unit/relay/handover_samples.h"

namespace {

namespace fs = std::filesystem;
using namespace std::string_literals;

/// No cut: the number of chunk sizes is 0 (tests/fuzz/input.h).
const std::string kWhole("\0", 1);
/// Chunks of 1, 2 and 40 bytes.
const std::string kCut("\x03\x00\x01\x27", 4);

class Seeds {
 public:
  explicit Seeds(fs::path root) : root_(std::move(root)) {}

  void add(const std::string& target, const std::string& bytes) {
    fs::create_directories(root_ / target);
    std::ofstream(root_ / target / ("seed-" + std::to_string(++count_)), std::ios::binary) << bytes;
  }
  [[nodiscard]] int count() const { return count_; }

 private:
  fs::path root_;
  int count_ = 0;
};

void add_link_frames(Seeds& seeds) {
  std::string all;
  for (const sluice::proto::Sample& sample : sluice::proto::one_of_each()) {
    seeds.add("link_decoder", kWhole + sample.bytes);
    all += sample.bytes;
  }
  seeds.add("link_decoder", kWhole + all);
  seeds.add("link_decoder", kCut + all);
}

void add_proxy_headers(Seeds& seeds) {
  const std::string signature("\r\n\r\n\0\r\nQUIT\n", 12);
  for (const std::string& header :
       {"PROXY TCP4 192.0.2.7 198.51.100.1 51234 80\r\nGET / HTTP/1.1\r\n"s,
        "PROXY TCP6 2001:db8::1 ::ffff:192.0.2.1 1 65535\r\n"s, "PROXY UNKNOWN\r\n"s,
        "PROXY UNKNOWN ff 1 2\r\n"s, signature + "\x20\0\0\0"s,
        signature + "\x21\x11\0\x0c\x01\x02\x03\x04\x05\x06\x07\x08\0\x50\x01\xbb"s,
        signature + "\x21\x11\0\x10\x01\x02\x03\x04\x05\x06\x07\x08\0\x50\x01\xbb\x20\0\x01x"s,
        sluice::gateway::kHaproxyCheck, sluice::gateway::kHaproxyPlain,
        sluice::gateway::kHaproxyAlice, sluice::gateway::kHaproxyMallory,
        signature + "\x21\x21\0\x24"s + std::string(36, '\1'),
        signature + "\x21\x31\0\xd8"s + std::string(216, '\0')}) {
    seeds.add("proxy_header", header);
  }
}

void add_forwarded(Seeds& seeds) {
  for (const std::string& lines :
       {"garbage\n192.0.2.7"s, "10.0.0.1\n203.0.113.9, [2001:db8::1]:443\n10.0.0.1, 10.0.0.2"s,
        "\n192.0.2.7:80,, 2001:db8:ffff::1 ,"s, "x\nunknown, 10.0.0.1"s}) {
    seeds.add("forwarded", std::string(1, '\0').append(lines));
  }
  for (const std::string& lines :
       {"for=\"\nfor=192.0.2.7;proto=https;by=10.0.0.1"s,
        "x\nFor=\"[2001:db8::17]:4711\", for=10.0.0.1\nfor=\"10.0.0.2:_port\""s,
        "x\nfor=_hidden;host=\"a, b\\\"\";, proto=http"s}) {
    seeds.add("forwarded", std::string(1, '\1').append(lines));
  }
}

void add_http_heads(Seeds& seeds) {
  const std::string upgrade =
      "Host: example.org\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  for (const std::string& head :
       {"GET / HTTP/1.1\r\n" + upgrade + "\r\n",
        "GET /channel/a%2Db?x=1 HTTP/1.1\r\n" + upgrade +
            "Origin: https://example.org:443\r\nSec-WebSocket-Protocol: x, chat\r\n\r\n"
            "\x81\x80\0\0\0\0"s,
        "GET http://example.org/ HTTP/1.1\r\n" + upgrade + "Origin: null\r\n\r\n",
        "POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc"s, "GET / HTTP/2.0\r\nHost: a\r\n\r\n"s,
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"s, "\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03"s}) {
    // In front: which bound on the head's size.
    seeds.add("http_head", std::string(2, '\0').append(head));
    seeds.add("http_head", std::string(1, '\1').append(kCut).append(head));
  }
}

/// A client's frame, masked.
std::string frame(char first, const std::string& payload) {
  const std::string mask = "\x37\xfa\x21\x3d";
  std::string out(1, first);
  if (payload.size() < 126) {
    out += static_cast<char>(0x80U | payload.size());
  } else {
    out += "\xfe"s + static_cast<char>(payload.size() >> 8U) + static_cast<char>(payload.size());
  }
  out += mask;
  for (std::size_t i = 0; i < payload.size(); ++i)
    out += static_cast<char>(payload[i] ^ mask[i % 4]);
  return out;
}

void add_messages(Seeds& seeds) {
  const std::string smiley = "\xf0\x9f\x98\x80";
  for (const std::string& stream :
       {frame('\x81', "hello") + frame('\x82', "\0\1"s) +
            frame('\x88',
                  "\x03\xe8"
                  "bye"),
        frame('\x01', smiley.substr(0, 2)) + frame('\x89', "ping") +
            frame('\x80', smiley.substr(2)) + frame('\x8a', ""),
        frame('\x01', smiley.substr(0, 3)) + frame('\x80', ""), frame('\x81', "\xed\xa0\x80"),
        frame('\x02', std::string(200, 'x')) + frame('\x80', std::string(101, 'y')),
        frame('\x88', ""), frame('\x88', "\x03\xed"), frame('\xc1', "rsv"), frame('\x83', "op"),
        "\x81\x05hello"s}) {
    seeds.add("ws_scanner", kWhole + stream);
    seeds.add("ws_scanner", kCut + stream);
  }
  seeds.add("utf8", kWhole + "h\xc3\xa4\xe2\x82\xac" + smiley);
  seeds.add("utf8", kCut + smiley + "\xed\xa0\x80");
}

void add_pushes(Seeds& seeds) {
  const std::string subscribe = "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n";
  const std::string message = "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$5\r\nhello\r\n";
  const std::string large =
      "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$90\r\n" + std::string(90, 'x') + "\r\n";
  const std::string others =
      "*3\r\n$11\r\nunsubscribe\r\n$1\r\nc\r\n:0\r\n*2\r\n$4\r\npong\r\n$0\r\n\r\n"
      "+PONG\r\n-ERR no\r\n";
  for (const std::string& stream : {subscribe + message, large + message, others + message})
    for (const std::string& chunks : {kWhole, kCut}) seeds.add("redis_push", chunks + stream);
}

void add_envelopes(Seeds& seeds) {
  namespace relay = sluice::relay;
  const auto bytes = [](std::string_view text) { return sluice::proto::as_bytes(text); };
  for (const auto position : {std::optional<sluice::proto::Position>(),
                              std::optional(sluice::proto::Position{0xfeed, 42})}) {
    seeds.add("redis_envelope",
              std::string(1, '\0') + relay::make_envelope(position, bytes("who"), bytes("hello")));
  }
  for (const char* name : {"news", "sluice:{news}", "sluice:{news}:members", "sluice:control",
                           "sluice:reply:n1", "sluice:raw:sluice:x"}) {
    seeds.add("redis_envelope", "\1"s + name);
  }
  // Usable, confirmed, its position; heard with a hole, read; lost and back.
  seeds.add("redis_envelope", "\2\2\0\7\0\1\10\0\10\11\7\14\1\1\1\1\1\0\7\14\1"s);
  seeds.add("redis_envelope", "\2\2\0\7\0\1\10\1\7\1\1\1\10\6\3\0\4\2\2\5"s);
}

void add_values(Seeds& seeds) {
  for (const char* text : {"250ms",
                           "1.5s",
                           "2m",
                           "1h",
                           "64KiB",
                           "512B",
                           "1.5GiB",
                           "200/s",
                           "0660",
                           "127.0.0.1:80",
                           "[::1]:8080",
                           "*:0",
                           "unix:/run/x.sock",
                           "fd:3",
                           "10.0.0.0/8",
                           "2001:db8::/32",
                           "::ffff:192.0.2.1",
                           "redis://user@redis.example:6379/2",
                           "redis://[::1]:6379",
                           "redis+unix://us%40er@/run/redis.sock?db=3"}) {
    seeds.add("values", text);
  }
}

void add_configurations(Seeds& seeds) {
  const std::string gateway = "\1--id\n1111\n--listen=127.0.0.1:0\n--relay=unix:/run/r.sock\n";
  const std::string relay = "\2--listen\nunix:/run/r.sock\n";
  seeds.add("config", gateway + "--proxy-protocol=optional\n--trusted-proxy=10.0.0.0/8\n");
  seeds.add("config", gateway +
                          "MAX_CHANNELS=7\nALLOWED_ORIGIN=https://a.example,null\n---\n"
                          "greeting = \"hello {id}\"\nping-interval = '5s'\ntag-messages = true\n");
  seeds.add("config", "\1---\nid = 'a'\nlisten = ['*:1', 'unix:/x']\nrelay = \"unix:/r\"\n");
  seeds.add("config", gateway + "--drain-rate=5/s\n--on-gap=close\n--max-message-size\n1MiB\n");
  seeds.add("config", relay + "--broker=redis://u@h:1/2\nALLOW_UID=0,1000\n---\nring-age = '1m'\n");
  seeds.add("config", relay + "---\n[table]\nx = { y = [1, 2.5, 1979-05-27] }\n");
  seeds.add("config", "\2--help\n");
  seeds.add("config", "\1--version\n");
}

/// The first byte says what the rest is: a frame, a payload to be judged, a message to be encoded.
void add_centrifuge(Seeds& seeds) {
  for (
      const std::string& frame :
      {R"({"id":1,"connect":{"token":"t","data":{"a":[1,2.5e3,null]},"name":"js","version":"5","flag":1,"headers":{"k":"v"},"subs":{"n":{"recover":true,"epoch":"0123456789abcdef","offset":7}}}})"s,
       R"({"id":2,"subscribe":{"channel":"c","token":"t","recover":true,"epoch":"e","offset":18446744073709551615,"data":"x","positioned":true,"recoverable":true,"join_leave":true,"delta":"fossil","tf":{"op":"and"},"flag":1,"type":0}})"s,
       "{\"id\":3,\"publish\":{\"channel\":\"c\",\"data\":[\"\\u00e9\"]}}\n{}\n{\"send\":{\"data\":1}}\n"s,
       R"({"id":4,"history":{"channel":"c","limit":-1,"since":{"offset":3,"epoch":"e"},"reverse":true}})"s,
       R"({"id":5,"rpc":{"method":"m","data":null}})"s, R"({"id":6,"refresh":{"token":"t"}})"s,
       R"({"id":7,"sub_refresh":{"channel":"c","token":"t"}})"s,
       "{\"id\":8,\"presence\":{\"channel\":\"c\"}}\n{\"id\":9,\"presence_stats\":{}}\n{\"id\":10,\"unsubscribe\":{}}"s})
    seeds.add("centrifuge_json", std::string(1, '\0') + frame);
  for (const char* value : {"[1,{\"a\":\"\\ud83d\"},1e999]", "-0.5E+7", "text", "\"\\n\"", "\xff"})
    seeds.add("centrifuge_json", std::string(1, '\1') + value);
  for (const std::string& frame : {"\x0d\x08\x01\x22\x09\x0a\x01t\x12\0\x22\x02js"s, "\0"s,
                                   "\x0e\x08\x02\x2a\x0a\x0a\x01"
                                   "c\x18\x01\x32\x01"
                                   "e\x38\x29"s,
                                   "\x0a\x08\x04\x3a\x06\x0a\x01"
                                   "c\x12\x01\xff\x05\x62\x03\x0a\x01x"s})
    seeds.add("centrifuge_protobuf", std::string(1, '\0') + frame);
  // Channel, meta, payload.
  const std::string meta =
      "\x12\x0a\x0a\x0a\x01u\x12\x01"
      "c\x1a\x02{}\x12\x06\x0a\x01k\x12\x01v\x18\x07"s;
  for (const char* payload : {"{\"a\":\n1}", "text", "\xff\xfe"}) {
    const std::string message = "\x02\x04news"s + static_cast<char>(meta.size()) + meta + payload;
    seeds.add("centrifuge_json", message);
    seeds.add("centrifuge_protobuf", message);
  }
}

/// One of each part that the target `relay_state` reads; the first byte says which.
void add_relay_states(Seeds& seeds) {
  namespace relay = sluice::relay;
  using relay::test::written;
  const relay::test::BusyWorld world;
  seeds.add("relay_state", std::string(1, '\0') + written([&](relay::StateWriter& out) {
                             relay::RouterCodec::write(out, world.router);
                           }));
  std::string_view half = "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$20\r\nhalf";
  relay::RedisPushReader reader(64);
  (void)reader.next(half);
  seeds.add("relay_state", "\1" + written([&](relay::StateWriter& out) {
                             relay::RedisPushCodec::write(out, reader);
                           }));
  struct Quiet final : relay::SubscriptionEvents {
    void confirmed(std::string_view, std::optional<sluice::Duration>) override {}
    void refused(std::string_view, std::string_view, bool) override {}
  } quiet;
  relay::RedisSubscriptions subscriptions(quiet);
  for (const char* name : {"a", "b", "c"}) subscriptions.want(name);
  subscriptions.connected();
  (void)subscriptions.next_command({});
  subscriptions.ping_written();
  subscriptions.want("d");
  seeds.add("relay_state", "\2" + written([&](relay::StateWriter& out) {
                             relay::RedisSubscriptionsCodec::write(out, subscriptions);
                           }));
  struct NoAsker final : relay::RedisAsker {
    void ask_position(relay::RedisAsk, std::string_view, const relay::ChannelOptions&,
                      std::optional<sluice::proto::Position>) override {}
    void ask_missing(relay::RedisAsk, std::string_view, const relay::ChannelOptions&,
                     sluice::proto::Position) override {}
    void caught_up() override {}
  } asker;
  relay::RedisChannels channels(asker);
  relay::RedisSubscriptions below(quiet);
  for (const std::string& name :
       channels.add("a", {.history_size = 9, .history_ttl = {}, .envelope = false}))
    below.want(name);
  for (const std::string& name :
       channels.add("b", {.history_size = 0, .history_ttl = {}, .envelope = true}))
    below.want(name);
  seeds.add("relay_state", "\2" + written([&](relay::StateWriter& out) {
                             relay::RedisSubscriptionsCodec::write(out, below);
                             relay::RedisChannelsCodec::write(out, channels);
                           }));
  sluice::ManualTime time;
  sluice::SeededRandom random(1);
  relay::MemoryBroker memory([] {}, time, random);
  const relay::PresenceChange change{"c", {"client", "user", "info"}, true};
  (void)memory.update_presence({&change, 1});
  memory.subscribe("d", {.history_size = 2, .history_ttl = std::chrono::minutes(1)});
  seeds.add("relay_state", "\4" + written([&](relay::StateWriter& out) {
                             relay::MemoryBrokerCodec::write(out, memory);
                           }));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: fuzz_seeds DIR\n");
    return 2;
  }
  Seeds seeds{fs::path(argv[1])};
  add_link_frames(seeds);
  add_proxy_headers(seeds);
  add_forwarded(seeds);
  add_http_heads(seeds);
  add_messages(seeds);
  add_pushes(seeds);
  add_envelopes(seeds);
  add_values(seeds);
  add_configurations(seeds);
  add_centrifuge(seeds);
  add_relay_states(seeds);
  std::printf("%d seeds\n", seeds.count());
  return 0;
}
