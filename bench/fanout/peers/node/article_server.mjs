// Peer "article": a server of the kind that articles on scaling WebSockets with Redis show: npm's websocket and redis 3, one
// process, one channel, a list of connections, a send to each. What a client says is published to the same channel.
//
// Left out, each to its advantage: the console line per message and per connection, the server's tag before each
// message, the sentence to each client 5 s after it came. Mended: a closed connection leaves the list.
import http from 'node:http';
import process from 'node:process';
import redis from 'redis3';
import websocket from 'websocket';
import { die, listen, pingMs, redisUrl } from './settings.mjs';

const channel = process.env.CHANNEL;
const connections = [];

const subscriber = redis.createClient(redisUrl);
const publisher = redis.createClient(redisUrl);
subscriber.on('error', die);
publisher.on('error', die);

subscriber.on('message', (_, message) => connections.forEach((connection) => connection.send(message)));

const server = http.createServer();
const sockets = new websocket.server({ httpServer: server, keepaliveInterval: pingMs });

sockets.on('request', (request) => {
  const connection = request.accept(null, request.origin);
  connections.push(connection);
  connection.on('message', (message) => publisher.publish(channel, message.utf8Data));
  connection.on('close', () => {
    const at = connections.indexOf(connection);
    if (at !== -1) connections.splice(at, 1);
  });
});

subscriber.on('subscribe', () => listen(server));
subscriber.subscribe(channel);
