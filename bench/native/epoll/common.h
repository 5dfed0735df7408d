/* What the programs share: errors that end them, sockets set up for epoll, and the loop of a server. */
#ifndef CENOTE_COMMON_H
#define CENOTE_COMMON_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* Says which call failed and why, and ends the program. */
static inline void fail(const char *what) {
  perror(what);
  exit(1);
}

/* As many descriptors as the system lets this user have. */
static inline void raise_descriptor_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) fail("getrlimit");
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) fail("setrlimit");
}

static inline void set_up(int fd) {
  int on = 1;
  if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0) fail("fcntl");
  if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) fail("TCP_NODELAY");
}

/* Adds a descriptor to what is watched, or changes what it is watched for. */
static inline void watch(int epoll, int operation, int fd, uint32_t events, void *data) {
  struct epoll_event event = {.events = events, .data = {.ptr = data}};
  if (epoll_ctl(epoll, operation, fd, &event) != 0) fail(fd == STDIN_FILENO ? "standard input (a pipe is needed)" : "epoll_ctl");
}

/* An epoll that watches standard input, whose address tells its events from those of sockets; its end is to end the program. */
static inline int start_watching(int *input) {
  raise_descriptor_limit();
  int epoll = epoll_create1(0);
  if (epoll < 0) fail("epoll_create1");
  watch(epoll, EPOLL_CTL_ADD, *input, EPOLLIN, input);
  return epoll;
}

/* Whether an operation on a socket only has to be tried again later. */
static inline int not_now(void) { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

/* Listens on a free port of the loopback device, and prints it. */
static inline int start_listening(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  if (listener < 0) fail("socket");
  set_up(listener);
  if (bind(listener, (struct sockaddr *)&address, size) != 0) fail("bind");
  if (listen(listener, 65535) != 0) fail("listen");
  if (getsockname(listener, (struct sockaddr *)&address, &size) != 0) fail("getsockname");
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);
  return listener;
}

static inline void accept_all(int listener, void (*connected)(int fd)) {
  for (;;) {
    int fd = accept(listener, NULL, NULL);
    if (fd < 0 && not_now()) return;
    if (fd < 0 && errno == ECONNABORTED) continue; /* a client that went away before it was accepted */
    if (fd < 0) fail(errno == EMFILE || errno == ENFILE ? "accept (see ulimit -n)" : "accept");
    set_up(fd);
    connected(fd);
  }
}

/*
 * Listens until standard input ends. `connected` is told of each client and watches it; `ready` is given what it watched the client with, and
 * the events. `epoll` is set before either is called.
 */
static inline void serve(int *epoll, void (*connected)(int fd), void (*ready)(void *client, uint32_t events)) {
  enum { EVENTS = 512 };
  static struct epoll_event events[EVENTS];
  int input = STDIN_FILENO; /* known by its address, as the listener is */
  *epoll = start_watching(&input);
  int listener = start_listening();
  watch(*epoll, EPOLL_CTL_ADD, listener, EPOLLIN, &listener);
  for (;;) {
    int count = epoll_wait(*epoll, events, EVENTS, -1);
    if (count < 0 && errno != EINTR) fail("epoll_wait");
    for (int index = 0; index < count; index++) {
      void *source = events[index].data.ptr;
      char ignored[64];
      if (source == &input) {
        if (read(input, ignored, sizeof ignored) <= 0) return;
      } else if (source == &listener) accept_all(listener, connected);
      else ready(source, events[index].events);
    }
  }
}

#endif
