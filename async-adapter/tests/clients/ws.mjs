// Ann and Bob over WebSocket, with the client of npm: node ws.mjs ws://host:port
import { once } from 'node:events';
import WebSocket from 'ws';
import { talk } from './talk.mjs';

const [address] = process.argv.slice(2);

async function visit(user) {
  // The server's certificate is one of this test's own.
  const socket = new WebSocket(`${address}/${user}`, { rejectUnauthorized: false });
  const heard = [];
  let wake = () => {};
  socket.on('message', (data, isBinary) => {
    heard.push(isBinary ? '(binary)' : data.toString());
    wake();
  });
  await once(socket, 'open');
  return {
    says: text => socket.send(text),
    hears: async () => {
      while (heard.length === 0) await new Promise(resolve => { wake = resolve; });
      return heard.shift();
    },
    leaves: () => socket.close(),
  };
}

await talk(await visit('ann'), await visit('bob'));
