/*
 * A server that costs next to nothing: it answers each request with one of the replies that it was given at its start.
 *
 *   answer-server <file>
 *
 * The file is a row of messages, each behind its length (4 bytes, the highest first). A request is 8 bytes: the length 4, and the
 * number of the reply wanted. It listens on a free port of 127.0.0.1, prints that, and ends when its standard input does.
 * One thread, epoll; replies go out in the order of the requests, however many are asked for at once.
 */
#include "common.h"
#include <stdint.h>

enum { REQUEST_BYTES = 8, LENGTH_BYTES = 4, READ_BYTES = 4096 };

/* A reply with its length before it, as it goes out. */
struct reply {
  const uint8_t *bytes;
  size_t length;
};

struct connection {
  int fd;
  /* A request of which not all has come. */
  uint8_t partial[REQUEST_BYTES];
  size_t partial_length;
  /* Replies owed: a ring of their numbers, and how much of the first is out. */
  uint32_t *owed;
  size_t capacity, first, count, sent;
  int waits_for_room;
};

static struct reply *replies;
static uint32_t reply_count;
static int epoll;

static uint32_t read_u32(const uint8_t *bytes) {
  return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static void load(const char *path) {
  FILE *file = fopen(path, "rb");
  if (file == NULL) fail(path);
  if (fseek(file, 0, SEEK_END) != 0) fail(path);
  size_t size = (size_t)ftell(file), at = 0;
  uint8_t *bytes = malloc(size + 1);
  if (bytes == NULL) fail("malloc");
  rewind(file);
  if (fread(bytes, 1, size, file) != size) fail(path);
  fclose(file);
  while (at + LENGTH_BYTES <= size) {
    size_t length = LENGTH_BYTES + (size_t)read_u32(bytes + at);
    if (length > size - at) break;
    replies = realloc(replies, (reply_count + 1) * sizeof *replies);
    if (replies == NULL) fail("realloc");
    replies[reply_count++] = (struct reply){bytes + at, length};
    at += length;
  }
  if (at != size || reply_count == 0) {
    fprintf(stderr, "%s: not a row of messages behind their lengths\n", path);
    exit(1);
  }
}

static void drop(struct connection *connection) {
  close(connection->fd);
  free(connection->owed);
  free(connection);
}

static void wait_for_room(struct connection *connection, int waits) {
  if (connection->waits_for_room == waits) return;
  connection->waits_for_room = waits;
  watch(epoll, EPOLL_CTL_MOD, connection->fd, EPOLLIN | (waits ? EPOLLOUT : 0), connection);
}

/* Sends what is owed, as far as the kernel takes it. Gives 0 when the connection is gone. */
static int answer(struct connection *connection) {
  while (connection->count > 0) {
    const struct reply *reply = &replies[connection->owed[connection->first]];
    ssize_t taken = send(connection->fd, reply->bytes + connection->sent, reply->length - connection->sent, MSG_NOSIGNAL);
    if (taken < 0) {
      if (errno == EINTR) continue;
      if (!not_now()) return 0;
      wait_for_room(connection, 1);
      return 1;
    }
    connection->sent += (size_t)taken;
    if (connection->sent < reply->length) continue;
    connection->sent = 0;
    connection->first = (connection->first + 1) % connection->capacity;
    connection->count--;
  }
  wait_for_room(connection, 0);
  return 1;
}

static void owe(struct connection *connection, uint32_t number) {
  if (connection->count == connection->capacity) {
    size_t capacity = connection->capacity == 0 ? 16 : 2 * connection->capacity;
    uint32_t *owed = malloc(capacity * sizeof *owed);
    if (owed == NULL) fail("malloc");
    for (size_t i = 0; i < connection->count; i++) owed[i] = connection->owed[(connection->first + i) % connection->capacity];
    free(connection->owed);
    connection->owed = owed;
    connection->capacity = capacity;
    connection->first = 0;
  }
  connection->owed[(connection->first + connection->count++) % connection->capacity] = number;
}

/* Takes the requests that have come. Gives 0 when the connection is gone, or asks for what there is not. */
static int take(struct connection *connection) {
  uint8_t bytes[READ_BYTES];
  ssize_t length = recv(connection->fd, bytes, sizeof bytes, 0);
  if (length <= 0) return length < 0 && not_now();
  for (ssize_t i = 0; i < length; i++) {
    connection->partial[connection->partial_length++] = bytes[i];
    if (connection->partial_length < REQUEST_BYTES) continue;
    connection->partial_length = 0;
    uint32_t number = read_u32(connection->partial + LENGTH_BYTES);
    if (read_u32(connection->partial) != REQUEST_BYTES - LENGTH_BYTES || number >= reply_count) return 0;
    owe(connection, number);
  }
  return answer(connection);
}

static void on_connect(int fd) {
  struct connection *connection = calloc(1, sizeof *connection);
  if (connection == NULL) fail("calloc");
  connection->fd = fd;
  watch(epoll, EPOLL_CTL_ADD, fd, EPOLLIN, connection);
}

static void on_ready(void *source, uint32_t events) {
  struct connection *connection = source;
  if ((events & EPOLLOUT && !answer(connection)) || (events & ~EPOLLOUT && !take(connection))) drop(connection);
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: answer-server <file>\n");
    return 2;
  }
  load(argv[1]);
  serve(&epoll, on_connect, on_ready);
  return 0;
}
