/*
 * An echo server in one thread. Listens on a free port of the loopback device, prints the port, and sends back what comes. Ends when its
 * standard input does, so it never outlives the program that started it.
 */
#include "common.h"

enum { CHUNK = 256 * 1024 };

/* A client. While `left` bytes of what it sent wait for room in its socket, nothing more is read from it. */
struct client {
  int fd;
  char *waiting; /* what `send` did not take; NULL without */
  size_t from, left;
};

static int epoll;
static char chunk[CHUNK];

static void drop(struct client *client) {
  close(client->fd); /* which ends the watch as well */
  free(client->waiting);
  free(client);
}

/* Sends what it can; the number of bytes taken, -1 if the client is gone. */
static ssize_t put(struct client *client, const char *bytes, size_t count) {
  size_t done = 0;
  while (done < count) {
    ssize_t taken = send(client->fd, bytes + done, count - done, MSG_NOSIGNAL);
    if (taken < 0) return not_now() ? (ssize_t)done : -1;
    done += taken;
  }
  return done;
}

/* Keeps what found no room, and waits for room instead of for bytes. */
static void keep(struct client *client, const char *bytes, size_t count) {
  client->waiting = malloc(count);
  if (client->waiting == NULL) fail("malloc");
  memcpy(client->waiting, bytes, count);
  client->from = 0;
  client->left = count;
  watch(epoll, EPOLL_CTL_MOD, client->fd, EPOLLOUT, client);
}

static void on_readable(struct client *client) {
  ssize_t count = recv(client->fd, chunk, CHUNK, 0);
  if (count < 0 && not_now()) return;
  ssize_t taken = count <= 0 ? -1 : put(client, chunk, count);
  if (taken < 0) drop(client);
  else if (taken < count) keep(client, chunk + taken, count - taken);
}

static void on_room(struct client *client) {
  ssize_t taken = put(client, client->waiting + client->from, client->left);
  if (taken < 0) return drop(client);
  client->from += taken;
  client->left -= taken;
  if (client->left > 0) return;
  free(client->waiting);
  client->waiting = NULL;
  watch(epoll, EPOLL_CTL_MOD, client->fd, EPOLLIN, client);
}

static void on_connect(int fd) {
  struct client *client = calloc(1, sizeof *client);
  if (client == NULL) fail("calloc");
  client->fd = fd;
  watch(epoll, EPOLL_CTL_ADD, fd, EPOLLIN, client);
}

static void on_ready(void *source, uint32_t events) {
  struct client *client = source;
  (void)events; /* it is watched for one thing at a time */
  if (client->waiting != NULL) on_room(client);
  else on_readable(client);
}

int main(void) {
  serve(&epoll, on_connect, on_ready);
  return 0;
}
