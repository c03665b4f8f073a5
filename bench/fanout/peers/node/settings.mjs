// What bench_fanout tells a peer, and how a peer says that it is up.
import process from 'node:process';

export const port = Number(process.env.PORT);
export const redisUrl = process.env.REDIS_URL;
export const pingMs = Number(process.env.PING_SECONDS ?? 3600) * 1000;

// Thousands connect at once: the kernel cuts it down to net.core.somaxconn.
const backlog = 65535;

export function listen(server) {
  server.listen({ port, host: '127.0.0.1', backlog }, () => console.log('ready'));
}

// Without its Redis a peer is of no use: end, so that the run sees it.
export function die(error) {
  console.error(error);
  process.exit(1);
}
