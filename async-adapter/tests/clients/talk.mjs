// What the examples' chats are asked: whoever is told of a refusal is in the room by then, and each
// hears what the other says and nothing else.
import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';

// Resolves with what `emitter` emits next as `event`, and rejects after a minute without it: a client that
// waits for ever says nothing of what it waits for.
export async function soon(emitter, event, what) {
  try {
    return await once(emitter, event, { signal: AbortSignal.timeout(60_000) });
  } catch (error) {
    throw new Error(`waited a minute for ${what}`, { cause: error });
  }
}

// What a user has been sent and has not looked at yet, in order.
export class Inbox extends EventEmitter {
  #user;
  #unread = [];

  constructor(user) {
    super();
    this.#user = user;
  }

  put(text) {
    this.#unread.push(text);
    this.emit('put');
  }

  async next() {
    while (this.#unread.length === 0) await soon(this, 'put', `something that ${this.#user} hears`);
    return this.#unread.shift();
  }
}

export async function talk(ann, bob) {
  for (const visitor of [ann, bob]) {
    visitor.says('x'.repeat(20_000));
    assert.match(await visitor.inbox.next(), /^not sent, refused: /);
  }
  ann.says('hello');
  assert.equal(await bob.inbox.next(), 'ann: hello');
  bob.says('hi');
  assert.equal(await ann.inbox.next(), 'bob: hi');
  ann.leaves();
  bob.leaves();
  console.log('they have talked');
}
