// Ann and Bob over WebSocket, with the client of npm: node ws.mjs ws://host:port
import WebSocket from 'ws';
import { Inbox, soon, talk } from './talk.mjs';

const [address] = process.argv.slice(2);

async function visit(user) {
  // The server's certificate is one of this test's own.
  const socket = new WebSocket(`${address}/${user}`, { rejectUnauthorized: false });
  const inbox = new Inbox(user);
  socket.on('message', (data, isBinary) => inbox.put(isBinary ? '(binary)' : data.toString()));
  await soon(socket, 'open', `${user}'s connection`);
  return { inbox, says: text => socket.send(text), leaves: () => socket.close() };
}

await talk(await visit('ann'), await visit('bob'));
