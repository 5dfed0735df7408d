/** A thread that computes until it is ended. */
for (let value = 1; ; ) value = (value * 16_807) % 2_147_483_647
