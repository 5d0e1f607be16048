/*
 * The least that a fan-out can cost: one write(2) for each update and each reader, and nothing else. Whoever
 * connects to the first port becomes a reader; what comes in over the second port, frames that end in an empty
 * line, goes to all of them. It knows no topics, no ids and no slow readers: its writes wait.
 *
 *   loop PORT CONTROL-PORT
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_READERS = 65536, BUFFER = 1 << 20 };

static const char HEAD[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n\r\n:\n";
static int readers[MAX_READERS], reader_count, publisher = -1;
/* By descriptor: the place among the readers and one more, or 0. */
static int places[MAX_READERS];
static char buffer[BUFFER];
static size_t filled;

static int listen_on(int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 4096) != 0) {
    perror("listen");
    exit(1);
  }
  return fd;
}

static void watch(int epoll, int fd) {
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static void forget(int fd) {
  int place = places[fd] - 1;
  readers[place] = readers[--reader_count];
  places[readers[place]] = place + 1;
  places[fd] = 0;
  close(fd);
}

static void write_to_all(const char *frame, size_t length) {
  for (int i = reader_count - 1; i >= 0; i--)
    if (write(readers[i], frame, length) < 0) forget(readers[i]);
}

static void publish(void) {
  ssize_t count = read(publisher, buffer + filled, BUFFER - filled);
  if (count <= 0) {
    close(publisher);
    publisher = -1;
    filled = 0;
    return;
  }
  filled += count;
  char *start = buffer, *end;
  while ((end = memmem(start, buffer + filled - start, "\n\n", 2)) != NULL) {
    write_to_all(start, end + 2 - start);
    start = end + 2;
  }
  filled -= start - buffer;
  memmove(buffer, start, filled);
}

/* A request in one read makes a reader; what a reader sends later is only looked at for its end. */
static void hear(int fd) {
  char request[16384];
  ssize_t count = read(fd, request, sizeof request);
  int one = 1;
  if (places[fd] > 0) {
    if (count <= 0) forget(fd);
    return;
  }
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (count <= 0 || write(fd, HEAD, sizeof HEAD - 1) < 0) {
    close(fd);
    return;
  }
  readers[reader_count++] = fd;
  places[fd] = reader_count;
}

static void take(int epoll, int door) {
  int fd = accept(door, NULL, NULL);
  if (fd >= MAX_READERS) close(fd);
  else if (fd >= 0) watch(epoll, fd);
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  signal(SIGPIPE, SIG_IGN);
  int epoll = epoll_create1(0), door = listen_on(atoi(argv[1])), control = listen_on(atoi(argv[2]));
  watch(epoll, door);
  watch(epoll, control);
  puts("ready");
  fflush(stdout);
  for (;;) {
    struct epoll_event events[256];
    int count = epoll_wait(epoll, events, 256, -1);
    for (int i = 0; i < count; i++) {
      int fd = events[i].data.fd;
      if (fd == door) {
        take(epoll, door);
      } else if (fd == control) {
        /* One load after another: who read before is gone. */
        publisher = accept(control, NULL, NULL);
        watch(epoll, publisher);
      } else if (fd == publisher) {
        publish();
      } else {
        hear(fd);
      }
    }
  }
}
