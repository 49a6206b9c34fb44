#include "net/probe_io/repeated_frames.hpp"

#include <vector>

#include "catch.hpp"

namespace ecmp::net {
namespace {

TEST_CASE("a datagram shown again at another interface is a repeat, a real duplicate is not", "[repeated_frames]") {
  RepeatedFrames frames;
  std::vector<std::uint8_t> bytes(60, 7), others(60, 8);
  CapturedFrame frame;
  frame.datagram = bytes;
  frame.stamp = WallTime(std::chrono::hours(100));
  frame.interface = 3;
  CHECK_FALSE(frames.is_repeat(frame));
  CHECK_FALSE(frames.is_repeat(frame));  // the network sent it twice
  frame.interface = 4;
  frame.stamp += std::chrono::microseconds(2);
  CHECK(frames.is_repeat(frame));
  frame.datagram = others;
  CHECK_FALSE(frames.is_repeat(frame));
  frame.datagram = bytes;
  frame.stamp += std::chrono::milliseconds(1);
  CHECK_FALSE(frames.is_repeat(frame));  // over another way
}

TEST_CASE("what is remembered of frames is bounded", "[repeated_frames]") {
  RepeatedFrames frames;
  std::vector<std::uint8_t> bytes(60, 7), other(60, 8);
  CapturedFrame frame;
  frame.stamp = WallTime(std::chrono::hours(100));
  frame.interface = 3;
  frame.datagram = bytes;
  CHECK_FALSE(frames.is_repeat(frame));
  frame.datagram = other;
  for (int i = 0; i < 16; ++i)
    CHECK_FALSE(frames.is_repeat(frame));
  frame.datagram = bytes;
  frame.interface = 4;
  CHECK_FALSE(frames.is_repeat(frame));
}

}  // namespace
}  // namespace ecmp::net
