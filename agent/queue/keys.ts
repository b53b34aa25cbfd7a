/** Keys of the encryption at rest: a master key makes one key per segment; a short id tells which master key a segment needs. */
import { createCipheriv, createDecipheriv, hkdfSync } from "node:crypto";

export const TAG_BYTES = 16;
const CIPHER = "aes-256-gcm";

/** What is on disk needs a key that was not given; nothing was changed. */
export class QueueKeyError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "QueueKeyError";
  }
}

export class KeyRing {
  /** Id of the key new segments are encrypted with; 0 for none. */
  readonly currentId: number;
  readonly #masters = new Map<number, Buffer>();

  constructor(current: Buffer | undefined, previous: readonly Buffer[] = []) {
    for (const key of current ? [current, ...previous] : previous) {
      if (key.length !== 32)
        throw new QueueKeyError(`an encryption key must have 32 bytes, this one has ${key.length}`);
      this.#masters.set(keyId(key), key);
    }
    this.currentId = current ? keyId(current) : 0;
  }

  has(id: number): boolean {
    return id === 0 || this.#masters.has(id);
  }

  /** Key of what was salted so; undefined where nothing is encrypted. Throws QueueKeyError without the master key. */
  derive(id: number, salt: Uint8Array, path: string): Buffer | undefined {
    if (id === 0) return undefined;
    const master = this.#masters.get(id);
    if (!master) {
      throw new QueueKeyError(
        `${path} is encrypted with a key (id ${id.toString(16)}) that is not among those given; set service.queue.key or previous_keys to it`,
      );
    }
    return Buffer.from(hkdfSync("sha256", master, salt, "audit-agent at rest", 32));
  }
}

/** Says nothing about the key; never 0. */
function keyId(key: Buffer): number {
  return Buffer.from(hkdfSync("sha256", key, "", "audit-agent key id", 4)).readUInt32LE(0) || 1;
}

function nonceOf(counter: number, part: number): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeUInt32LE(counter, 0);
  nonce.writeUInt32LE(part, 4);
  return nonce;
}

/** Parts under one counter have nonces of their own. */
export const Part = { payload: 0, meta: 1 } as const;

export interface Sealed {
  readonly parts: Buffer[];
  readonly tag: Buffer;
}

export function seal(key: Buffer, counter: number, part: number, plain: readonly Buffer[], aad: Buffer): Sealed {
  const cipher = createCipheriv(CIPHER, key, nonceOf(counter, part), { authTagLength: TAG_BYTES });
  cipher.setAAD(aad);
  const parts = plain.map((bytes) => cipher.update(bytes));
  cipher.final();
  return { parts, tag: cipher.getAuthTag() };
}

/** Throws where the bytes are not what was sealed. */
export function unseal(key: Buffer, counter: number, part: number, sealed: Buffer, aad: Buffer, tag: Buffer): Buffer {
  const decipher = createDecipheriv(CIPHER, key, nonceOf(counter, part), { authTagLength: TAG_BYTES });
  decipher.setAAD(aad);
  decipher.setAuthTag(tag);
  const plain = decipher.update(sealed);
  decipher.final();
  return plain;
}
