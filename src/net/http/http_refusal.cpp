#include "net/http/http_connection.hpp"

namespace ecmp::net {

namespace {

std::string_view reason_phrase(int status) {
  switch (status) {
    case 400:
      return "Bad Request";
    case 408:
      return "Request Timeout";
    case 411:
      return "Length Required";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 431:
      return "Request Header Fields Too Large";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Error";
  }
}

}  // namespace

std::string http_refusal(int status, std::string_view line) {
  std::string text = "HTTP/1.1 " + std::to_string(status) + " ";
  text += reason_phrase(status);
  text += "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: " + std::to_string(line.size() + 1);
  text += "\r\nConnection: close\r\n\r\n";
  text += line;
  text += "\n";
  return text;
}

}  // namespace ecmp::net
