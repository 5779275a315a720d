// What the examples' chats are asked: whoever is told of a refusal is in the room by then, and each
// hears what the other says and nothing else.
import assert from 'node:assert/strict';

export async function talk(ann, bob) {
  for (const visitor of [ann, bob]) {
    visitor.says('x'.repeat(20_000));
    assert.match(await visitor.hears(), /^not sent, refused: /);
  }
  ann.says('hello');
  assert.equal(await bob.hears(), 'ann: hello');
  bob.says('hi');
  assert.equal(await ann.hears(), 'bob: hi');
  ann.leaves();
  bob.leaves();
  console.log('they have talked');
}
