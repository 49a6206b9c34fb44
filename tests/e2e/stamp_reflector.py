"""A STAMP Session-Reflector in open mode, written from RFC 8762 sections 4.2 and 4.3 alone: python3 stamp_reflector.py
ADDRESS PORT stateful|stateless. A session is a source address and port. TLVs come back as padding does."""
import socket
import struct
import sys
import time

NTP_EPOCH = 2208988800  # 1970 in seconds since 1900
IP_RECVTTL = 12  # linux/in.h; the module has no name for it
SO_RCVBUFFORCE = 33  # asm-generic/socket.h


def ntp(nanoseconds):
    seconds, rest = divmod(nanoseconds, 10**9)
    return struct.pack("!II", (seconds + NTP_EPOCH) & 0xffffffff, (rest << 32) // 10**9)


def reply(request, number, ttl, arrived):
    """`number`: None has the sender's copied."""
    sequence, sent, error, ssid = struct.unpack_from("!I8sHH", request)
    head = struct.pack("!I8sHH8sI8sHHB3x", sequence if number is None else number, ntp(time.time_ns()), 0x0001, ssid,
                       ntp(arrived), sequence, sent, error, 0, ttl)
    assert len(head) == 44
    return head + request[44:]


def main(address, port, mode):
    v6 = ":" in address
    listener = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_DGRAM)
    # Room for some seconds of requests: what a busy machine drops here would be loss on the way there.
    listener.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 23)
    if v6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 255)
    else:
        listener.setsockopt(socket.IPPROTO_IP, IP_RECVTTL, 1)
        listener.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 255)
    listener.bind((address, int(port)))
    print("listening", flush=True)
    numbers = {}
    while True:
        request, ancillary, _, peer = listener.recvmsg(2048, 128)
        arrived = time.time_ns()
        if len(request) < 44:
            continue
        ttl = next((struct.unpack("i", data)[0] for level, kind, data in ancillary
                    if (level, kind) in ((socket.IPPROTO_IP, socket.IP_TTL), (socket.IPPROTO_IPV6, socket.IPV6_HOPLIMIT))), 255)
        session = peer[:2]
        numbers[session] = numbers.get(session, -1) + 1
        listener.sendto(reply(request, numbers[session] if mode == "stateful" else None, ttl, arrived), peer)


if __name__ == "__main__":
    main(*sys.argv[1:])
