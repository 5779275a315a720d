// Ann and Bob over Socket.IO, with its own client: node socket_io.mjs http://host:port
import { once } from 'node:events';
import { io } from 'socket.io-client';
import { talk } from './talk.mjs';

const [address] = process.argv.slice(2);

async function visit(user) {
  const socket = io(address, { forceNew: true });
  const heard = [];
  let wake = () => {};
  socket.on('chat', text => {
    heard.push(text);
    wake();
  });
  await once(socket, 'connect');
  socket.emit('join', user);
  return {
    says: text => socket.emit('say', text),
    hears: async () => {
      while (heard.length === 0) await new Promise(resolve => { wake = resolve; });
      return heard.shift();
    },
    leaves: () => socket.close(),
  };
}

await talk(await visit('ann'), await visit('bob'));
