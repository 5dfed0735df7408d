/*
 * An echo client in one thread, with one request in flight on each connection: the most that exclusive use of connections can give.
 *
 * A line "round <ms>" on standard input runs one round; its figures go to standard output as one line of JSON. Connections stay open
 * between rounds. The end of standard input ends the program, in mid-round too.
 */
#include "common.h"
#include <getopt.h>
#include <stdint.h>
#include <time.h>

enum { EVENTS = 512 };

/* A connection and the request on it. Both sides go on at once: a large reply begins before all is sent. */
struct connection {
  int fd;
  int full; /* the socket had no room: watched for that as well */
  size_t sent, received;
  int64_t begun; /* ns */
  uint64_t number; /* in the first bytes of the request, so that no reply can be taken for another's */
};

static int epoll;
static struct connection *connections;
static size_t connection_count = 16, payload = 64;
static char *request, *reply;

/* Latencies of the round, in ns: each of them, so that percentiles are exact. */
static int64_t *samples;
static size_t sample_count, sample_room;

static int64_t now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

static double cpu_ms(void) {
  struct timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return time.tv_sec * 1e3 + time.tv_nsec / 1e6;
}

static void record(int64_t ns) {
  if (sample_count == sample_room) {
    sample_room = sample_room == 0 ? 1 << 16 : sample_room * 2;
    samples = realloc(samples, sample_room * sizeof *samples);
    if (samples == NULL) fail("realloc");
  }
  samples[sample_count++] = ns;
}

/* Makes the shared bytes those of this connection's request: its number, then the pattern that all have. */
static void number_request(const struct connection *connection) { memcpy(request, &connection->number, sizeof connection->number); }

/* Sends what the socket takes, and watches for room only when it has none. */
static void push(struct connection *connection) {
  number_request(connection);
  while (connection->sent < payload) {
    ssize_t count = send(connection->fd, request + connection->sent, payload - connection->sent, MSG_NOSIGNAL);
    if (count < 0 && !not_now()) fail("send");
    if (count < 0) break;
    connection->sent += count;
  }
  int full = connection->sent < payload;
  if (full != connection->full) watch(epoll, EPOLL_CTL_MOD, connection->fd, full ? EPOLLIN | EPOLLOUT : EPOLLIN, connection);
  connection->full = full;
}

static void begin(struct connection *connection, int64_t now) {
  connection->sent = connection->received = 0;
  connection->number += connection_count;
  connection->begun = now;
  push(connection);
}

/* Takes what has come and compares it; 1 once the reply is whole. */
static int pull(struct connection *connection) {
  ssize_t count = recv(connection->fd, reply, payload - connection->received, 0);
  if (count < 0 && not_now()) return 0;
  if (count < 0) fail("recv");
  number_request(connection);
  if (count == 0 || memcmp(reply, request + connection->received, count) != 0) {
    fprintf(stderr, count == 0 ? "the server ended a connection\n" : "another reply arrived than was sent\n");
    exit(1);
  }
  connection->received += count;
  return connection->received == payload;
}

static int by_value(const void *a, const void *b) {
  int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
  return (left > right) - (left < right);
}

/* A percentile in microseconds; the samples are sorted. */
static double at(double share) { return sample_count == 0 ? 0 : samples[(size_t)(share * (sample_count - 1))] / 1e3; }

static void run_round(int duration_ms) {
  static struct epoll_event events[EVENTS];
  double cpu = cpu_ms();
  int64_t start = now_ns(), end = start + duration_ms * INT64_C(1000000);
  sample_count = 0;
  size_t running = connection_count;
  for (size_t index = 0; index < connection_count; index++) begin(&connections[index], now_ns());
  while (running > 0) {
    int count = epoll_wait(epoll, events, EVENTS, -1);
    if (count < 0 && errno != EINTR) fail("epoll_wait");
    for (int index = 0; index < count; index++) {
      struct connection *connection = events[index].data.ptr;
      if (connection == NULL) exit(0); /* the end of standard input */
      if (events[index].events & EPOLLOUT) push(connection);
      if (!(events[index].events & ~EPOLLOUT) || !pull(connection)) continue;
      int64_t now = now_ns();
      record(now - connection->begun);
      if (now < end) begin(connection, now);
      else running--;
    }
  }
  double elapsed = (now_ns() - start) / 1e6, spent = cpu_ms() - cpu;
  qsort(samples, sample_count, sizeof *samples, by_value);
  printf("{\"requests\":%zu,\"elapsedMs\":%.3f,\"cpuMs\":%.3f,\"latency\":{\"p50\":%.3f,\"p99\":%.3f,\"max\":%.3f}}\n", sample_count,
         elapsed, spent, at(0.5), at(0.99), at(1));
  fflush(stdout);
}

static void connect_all(const struct sockaddr_in *address) {
  connections = calloc(connection_count, sizeof *connections);
  if (connections == NULL) fail("calloc");
  for (size_t index = 0; index < connection_count; index++) {
    struct connection *connection = &connections[index];
    connection->number = index;
    connection->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connection->fd < 0) fail("socket (see ulimit -n)");
    if (connect(connection->fd, (const struct sockaddr *)address, sizeof *address) != 0) fail("connect");
    set_up(connection->fd);
    watch(epoll, EPOLL_CTL_ADD, connection->fd, EPOLLIN, connection);
  }
}

static void usage(const char *program) {
  fprintf(stderr, "Usage: %s --address <ipv4:port> [--connections <n>, default 16] [--payload <bytes>, at least 8, default 64]\n", program);
  exit(2);
}

/* A whole number of at least `least`, or the usage. */
static size_t number(const char *text, size_t least, const char *program) {
  char *rest;
  unsigned long value = strtoul(text, &rest, 10);
  if (*text == '\0' || *rest != '\0' || value < least) usage(program);
  return value;
}

static void read_flags(int argc, char **argv, struct sockaddr_in *address) {
  static const struct option flags[] = {
      {"address", required_argument, NULL, 'a'}, {"connections", required_argument, NULL, 'c'}, {"payload", required_argument, NULL, 'p'}, {0}};
  int flag;
  while ((flag = getopt_long(argc, argv, "", flags, NULL)) != -1) {
    if (flag == 'a') {
      char *colon = strrchr(optarg, ':');
      if (colon == NULL) usage(argv[0]);
      *colon = '\0';
      if (inet_pton(AF_INET, optarg, &address->sin_addr) != 1) usage(argv[0]);
      address->sin_port = htons(number(colon + 1, 1, argv[0]));
    } else if (flag == 'c') connection_count = number(optarg, 1, argv[0]);
    else if (flag == 'p') payload = number(optarg, sizeof(uint64_t), argv[0]);
    else usage(argv[0]);
  }
  if (address->sin_port == 0 || optind < argc) usage(argv[0]);
}

int main(int argc, char **argv) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  char line[64];
  int duration_ms;
  read_flags(argc, argv, &address);
  request = malloc(payload);
  reply = malloc(payload);
  if (request == NULL || reply == NULL) fail("malloc");
  for (size_t index = 0; index < payload; index++) request[index] = index;
  raise_descriptor_limit();
  epoll = epoll_create1(0);
  if (epoll < 0) fail("epoll_create1");
  watch(epoll, EPOLL_CTL_ADD, STDIN_FILENO, EPOLLRDHUP, NULL);
  connect_all(&address);
  while (fgets(line, sizeof line, stdin) != NULL) {
    if (sscanf(line, "round %d", &duration_ms) != 1 || duration_ms < 1) {
      fprintf(stderr, "not \"round <ms>\": %s", line);
      return 1;
    }
    run_round(duration_ms);
  }
  return 0;
}
