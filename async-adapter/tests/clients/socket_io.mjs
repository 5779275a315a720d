// Ann and Bob over Socket.IO, with its own client: node socket_io.mjs http://host:port
import { io } from 'socket.io-client';
import { Inbox, soon, talk } from './talk.mjs';

const [address] = process.argv.slice(2);

async function visit(user) {
  const socket = io(address, { forceNew: true });
  const inbox = new Inbox(user);
  socket.on('chat', text => inbox.put(text));
  await soon(socket, 'connect', `${user}'s connection`);
  socket.emit('join', user);
  return { inbox, says: text => socket.emit('say', text), leaves: () => socket.close() };
}

await talk(await visit('ann'), await visit('bob'));
