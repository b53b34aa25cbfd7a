/** Decides which remembered file a file is, if any: the heart of "nothing lost, nothing twice". */
import { basename } from "node:path";
import type { Source } from "../../../agent/api/batch.ts";
import type { InputContext } from "../../../agent/api/context.ts";
import type { Catalog } from "./catalog.ts";
import { compareNames, groupOf, isCompressed } from "./group.ts";
import { type Holder, MovedError } from "./holder.ts";
import { type Fingerprint, fingerprint, proofAt } from "./identity.ts";
import type { LogFile } from "./log-file.ts";
import { isMissing } from "./open.ts";
import type { FileOptions } from "./options.ts";
import type { Memory } from "./position.ts";
import { skipAll, skipToEnd } from "./skip.ts";

/** Of files that share a first line, so many that are open are compared with a new one. */
const MOST_COMPARED = 64;
/** With more newcomers than these nearly each would want a listing of its own, as long as they are written to. */
const FEW = 64;
/** A likely copy that goes on changing is watched for so many times `rotate_wait`. */
const TWIN_PATIENCE = 10;

type Relation = "wait" | "takes over" | "copy" | "another";

export class Matcher {
  readonly #context: InputContext;
  readonly #options: FileOptions;
  readonly #catalog: Catalog;
  readonly #holder: Holder;

  /** Files should be listed again before newcomers are identified. */
  wantsListing = false;
  /** Called for a known file that was found changed on the way: what it grew by waits for nothing else. */
  onChanged: (file: LogFile) => void = () => undefined;

  constructor(context: InputContext, options: FileOptions, catalog: Catalog, holder: Holder) {
    this.#holder = holder;
    this.#context = context;
    this.#options = options;
    this.#catalog = catalog;
  }

  /**
   * Makes a prepared newcomer a known file, if it can be told yet which: before its first complete line it cannot. True when it is known
   * now. `initial`: found by the first look of the first start.
   */
  async identify(file: LogFile, { initial, mayBeNew }: { initial: boolean; mayBeNew: boolean }): Promise<boolean> {
    const { emit, alias } = this.#context;
    const { head: found } = file;
    file.head = undefined;
    if (!found || (file.compressed && this.#beingWritten(file))) return false;
    const match = await this.#match(file, found);
    if (match === "wait") return false;
    if (match === "copy") {
      await this.#settleCopy(file, found);
      return true;
    }
    if (match) {
      if (match.path !== file.path) {
        emit({ is: "file", input: alias, path: file.path, change: "renamed", reason: `was ${match.path}` });
      }
      file.before = undefined;
      file.stirred = undefined;
      const { path, inode, size, mtime, gone, lost } = match;
      // What is skipped is never read, so never proved.
      if (file.compressed && !match.skipped) file.unproved = { path, inode, size, mtime, gone, lost };
      this.#catalog.adopt(file, match);
      return true;
    }
    if (!mayBeNew) {
      file.head = found;
      return false;
    }
    if (!file.relisted && this.#wasAnother(file)) {
      // It was exchanged, maybe after the directory was listed: a copy of what it was belongs before it.
      file.relisted = true;
      this.wantsListing = true;
      return false;
    }
    if (!file.before) file.replaced ??= this.#replacedBy(file, found);
    if (this.#catalog.awaits(groupOf(file.path, this.#options.groupBy))) return false;
    const history = this.#sayWhatWas(file, found);
    const group = groupOf(file.path, this.#options.groupBy);
    const memory = this.#catalog.create(file, { fingerprint: found.hash, first: found.first, group }, history);
    emit({ is: "file", input: alias, path: file.path, change: "found", bytes: file.size });
    if (initial) await this.#skip(file, memory);
    return true;
  }

  /** Reads what `identify` needs to know of the file; of many at the same time. */
  async prepare(file: LogFile): Promise<void> {
    file.head = undefined;
    if (file.compressed && !this.#context.once && !this.#quiet(file)) return;
    const head = await fingerprint(file.source, this.#options.maxLineBytes, this.#complete(file));
    file.head = head;
    if (!head) return;
    // Changed since it was listed: what was read may not be what there was then.
    if (!file.compressed && !file.relisted) await file.refresh(this.#context.clock.monotonic());
    // Exchanged once more: there may be a copy of what it was.
    if (file.lastHead !== undefined && file.lastHead !== head.hash) file.relisted = false;
    file.lastHead = head.hash;
  }

  /** The file was exchanged, emptied or shortened while it was known: what it is has to be found out anew. */
  async broke(file: LogFile, reason: string): Promise<void> {
    const { memory } = file;
    if (!memory) return;
    await file.refresh(this.#context.clock.monotonic());
    if (!file.compressed && (await this.#isStill(file, memory))) {
      file.rewind();
      return;
    }
    // What was seen last may have been of the new content already: how much the old one had is not known then.
    if (!file.compressed && memory.size === file.size && memory.mtime === file.mtime)
      memory.size = Math.min(memory.size, memory.offset);
    const shorter = !file.compressed && file.size < memory.offset;
    if (shorter) this.#say(file, "truncated", reason);
    file.before = { memory, reported: shorter || file.compressed };
    file.not.add(memory);
    file.relisted = false;
    this.#catalog.detach(file);
    this.#catalog.newcomers.add(file);
  }

  /** Who the newcomer is will be known once it has been quiet for a while. */
  soon(file: LogFile): boolean {
    return file.size > 0 && file.compressed && !this.#quiet(file);
  }

  #quiet(file: LogFile): boolean {
    return this.#context.clock.monotonic() - file.changedAt >= this.#options.rotateWait;
  }

  /** Whether nothing more will come, so that an unfinished first line is a line. */
  #complete(file: LogFile): boolean {
    return this.#context.once || file.compressed || ((file.deleted || file.strayed) && this.#quiet(file));
  }

  /** Cut in the midst, beside its original or not long ago: gzip is slow. */
  #beingWritten(file: LogFile): boolean {
    if (this.#context.once || file.damage === undefined) return false;
    const { rotateWait } = this.#options;
    return (
      this.#catalog.byPath.has(stemOf(file.path)) ||
      this.#context.clock.monotonic() - file.changedAt < TWIN_PATIENCE * rotateWait
    );
  }

  async #match(file: LogFile, found: Fingerprint): Promise<Memory | "wait" | "copy" | undefined> {
    const sharing = this.#catalog.sharing(found.hash);
    if (sharing.length === 0) return undefined;
    const missing = sharing.filter((memory) => !memory.file).sort(byLikeness(file));
    const free = missing.filter((memory) => !file.not.has(memory));
    const continued = await this.#continued(file, free);
    if (continued) return continued;
    // Cut before the place that would have proved it.
    if (file.compressed && this.#beingWritten(file)) return "wait";
    // A compressed file turns out to be shorter than what was read only when it is taken for that, and read.
    const originals = file.compressed ? missing : free;
    for (const memory of originals) if (await this.#wasCopied(file, memory)) return this.#quiet(file) ? "copy" : "wait";
    const taken = sharing.filter((memory) => memory.file && memory.file !== file && this.#mayCompare(file, memory));
    for (const memory of taken.slice(-MOST_COMPARED)) {
      const relation = await this.#compare(file, memory.file!, memory);
      if (relation === "wait" || relation === "copy") return relation;
      if (relation === "takes over") return memory;
    }
    return undefined;
  }

  /** Files that are not open are opened for it only where names speak for a copy: a header may begin all files there are. */
  #mayCompare(file: LogFile, memory: Memory): boolean {
    if (memory.file!.isOpen || file.compressed) return true;
    // The copy may have been met first, and read to its end.
    return isNamedAsCopy(file.path, memory.path, memory) || isNamedAsCopy(memory.path, file.path, memory);
  }

  /** Which one it goes on with, if any. */
  async #continued(file: LogFile, free: readonly Memory[]): Promise<Memory | undefined> {
    if (!file.compressed || free.length < 2) {
      for (const memory of free) if (await this.#continues(file, memory)) return memory;
      return undefined;
    }
    const likeliest = free[0]!;
    if (likeliest.inode === file.inode && likeliest.size === file.size && likeliest.mtime === file.mtime)
      return likeliest;
    // Taken for another than it is, it would keep that one from its own file. Rising, so that it is decompressed once for all of them.
    const proved = new Set<Memory>();
    for (const memory of free.toSorted((a, b) => a.offset - b.offset)) {
      if (await file.proves(memory)) proved.add(memory);
    }
    // Where nothing was read there is nothing to prove.
    return free.find((memory) => memory.offset > 0 && proved.has(memory)) ?? free.find((memory) => proved.has(memory));
  }

  /** Whether the file is one that is remembered and was missing: the same, moved, copied, or compressed since. */
  async #continues(file: LogFile, memory: Memory): Promise<boolean> {
    // Of a compressed file the proof costs reading it up to the offset: that is done when it is read, which checks it too.
    if (file.compressed) return true;
    if (isCompressed(memory.path)) return false;
    return await file.proves(memory);
  }

  /** Whether what was read of a known file is still in it. Before the first byte was read only its first line can tell. */
  async #isStill(file: LogFile, memory: Memory): Promise<boolean> {
    if (file.size < memory.offset) return false;
    if (memory.offset > 0) return await file.proves(memory);
    const found = await fingerprint(file.source, this.#options.maxLineBytes, this.#complete(file));
    return found?.hash === memory.fingerprint;
  }

  async #refresh(file: LogFile, now: number): Promise<void> {
    if (await file.refresh(now)) this.onChanged(file);
  }

  /** `file` begins like `other`, which is known and there. */
  async #compare(file: LogFile, other: LogFile, memory: Memory): Promise<Relation> {
    if (file.compressed) return this.#compareCompressed(file, other);
    if (other.compressed) return "another";
    const now = this.#context.clock.monotonic();
    try {
      await this.#holder.open(other);
    } catch (error) {
      if (!(error instanceof MovedError) && !isMissing(error)) return "another";
      this.wantsListing = true;
      return "wait";
    }
    await this.#refresh(other, now);
    if (!(await this.#isStill(other, memory))) return this.#afterCut(file, other, memory);
    const common = Math.min(file.size, other.size);
    const mine = await proofAt(file.source, common);
    // It was emptied itself, since its beginning was read.
    if (mine === undefined) return "wait";
    if (mine !== (await proofAt(other.source, common))) {
      // Different, or emptied in between.
      await this.#refresh(other, now);
      return (await this.#isStill(other, memory)) ? "another" : this.#afterCut(file, other, memory);
    }
    if (file.size <= other.size && isNamedAsCopy(file.path, other.path, memory)) {
      // Its original is read on meanwhile; once that is read as far, there is nothing in the copy to read.
      return this.#quiet(file) && memory.offset >= file.size ? "copy" : "wait";
    }
    if (file.size >= other.size && !other.deleted && isNamedAsCopy(other.path, file.path, memory)) {
      // The copy was met first, and perhaps read to its end.
      this.#catalog.detach(other);
      this.#catalog.newcomers.add(other);
      memory.finished = false;
      return "takes over";
    }
    if (other.deleted) {
      if (file.size < other.size) return "another";
      this.#catalog.drop(other);
      return "takes over";
    }
    // The same so far. Maybe a copy whose original is about to be emptied; if nothing happens, a file of its own.
    if (this.#context.once) return "another";
    file.twinSince ??= now;
    const { rotateWait } = this.#options;
    return this.#quiet(file) || now - file.twinSince > TWIN_PATIENCE * rotateWait ? "another" : "wait";
  }

  /** Copied and then emptied: the copy goes on where the original was left. */
  async #afterCut(file: LogFile, other: LogFile, memory: Memory): Promise<Relation> {
    await this.broke(other, "it is shorter than what was read");
    // While the reader waits for this look, it may have been what it was after all.
    if (memory.file) return "wait";
    if (await this.#continues(file, memory)) return "takes over";
    if (!(await this.#wasCopied(file, memory))) return "another";
    return this.#quiet(file) ? "copy" : "wait";
  }

  /**
   * Whether the file is a copy of what is remembered, made before that was read to where it was read: what the copy holds was read. Its
   * name and its first entry say so, and the proofs of this run must not say otherwise.
   */
  async #wasCopied(file: LogFile, memory: Memory): Promise<boolean> {
    const { length } = file;
    if (length === undefined || length >= memory.offset || !isNamedAsCopy(file.path, memory.path, memory)) return false;
    const mark = memory.marks.findLast(({ offset }) => offset <= length);
    return mark === undefined || (await proofAt(file.source, mark.offset)) === mark.proof;
  }

  /** All of it was read from its original: nothing of it is, but what is appended later. */
  async #settleCopy(file: LogFile, found: Fingerprint): Promise<void> {
    const group = groupOf(file.path, this.#options.groupBy);
    const memory = this.#catalog.create(file, { fingerprint: found.hash, first: found.first, group });
    await skipAll(file, memory);
    file.consumed = memory.offset;
    file.end = memory.offset;
    const reason = "a copy of what was read";
    this.#context.emit({ is: "file", input: this.#context.alias, path: file.path, change: "skipped", reason });
  }

  #compareCompressed(file: LogFile, other: LogFile): "wait" | "another" {
    if (other.compressed) return "another";
    // Being compressed, or compressed and removed since the last look, maybe after a rename nobody saw. Once the original is gone and
    // read, this one goes on where that ended; reading it checks the proof.
    return other.deleted || other.strayed || stemOf(file.path) === other.path ? "wait" : "another";
  }

  #wasAnother(file: LogFile): boolean {
    if (file.before || file.stirred === "shortened") return true;
    if (file.stirred && this.#catalog.newcomers.size <= FEW) return true;
    return this.#catalog.lastAt(file.inode).some((memory) => !memory.file && memory.gone === undefined);
  }

  /** A new file in the place of a remembered one, or with the inode of one: somebody may want to know. Answers what became of that one. */
  #sayWhatWas(file: LogFile, found: Fingerprint): Source["history"] {
    const { before, replaced = [] } = file;
    file.before = undefined;
    file.replaced = undefined;
    file.stirred = undefined;
    // Where a copy goes on with what it was, it was only rotated.
    if (before?.reported) return file.compressed || before.memory.file ? undefined : "truncated";
    const [memory] = before ? [before.memory] : replaced;
    if (memory === undefined) return undefined;
    if (memory.fingerprint !== found.hash) {
      if (memory.inode !== file.inode) return undefined;
      return this.#say(file, "truncated", "other content stands in its place");
    }
    if (file.size >= memory.offset) return this.#say(file, "rolled_back", "the content before the offset changed");
    return this.#say(
      file,
      file.inode === memory.inode ? "truncated" : "rolled_back",
      "it is shorter than what was read",
    );
  }

  #replacedBy(file: LogFile, found: Fingerprint): readonly Memory[] {
    const here = (memory: Memory) =>
      memory.path === file.path && memory.gone === undefined && (!memory.file || memory.file.deleted);
    const alike = this.#catalog.sharing(found.hash).filter(here);
    return alike.length > 0 ? alike : this.#catalog.lastAt(file.inode).filter(here);
  }

  async #skip(file: LogFile, memory: Memory): Promise<void> {
    const { ignoreOlder, readFrom } = this.#options;
    const old = ignoreOlder !== undefined && this.#context.clock.now() - file.mtime > ignoreOlder;
    if (!old && readFrom === "beginning") return;
    if (old || file.compressed) {
      await skipAll(file, memory);
      file.touched = false;
    } else await skipToEnd(file, memory, this.#options.maxLineBytes);
    file.consumed = memory.offset;
    file.end = memory.offset;
    this.#context.emit({
      is: "file",
      input: this.#context.alias,
      path: file.path,
      change: "skipped",
      reason: old ? "older than ignore_older" : "read_from is end",
      bytes: file.compressed ? file.size : memory.offset,
    });
  }

  #say<C extends "truncated" | "rolled_back">(file: LogFile, change: C, reason: string): C {
    this.#context.emit({ is: "file", input: this.#context.alias, path: file.path, change, reason });
    return change;
  }
}

/** The most likely first: the same inode, the same name, the most that was read. */
function byLikeness(file: LogFile): (a: Memory, b: Memory) => number {
  const score = (memory: Memory) =>
    (memory.inode === file.inode ? 4 : 0) + (memory.path === file.path || memory.path === stemOf(file.path) ? 2 : 0);
  return (a, b) => score(b) - score(a) || b.offset - a.offset;
}

/**
 * Whether a file that begins like another is its copy by name: one that rotation would give to older content of the same log. Only where
 * the common first entry says its time: a header may begin any number of files.
 */
function isNamedAsCopy(copy: string, original: string, memory: Memory): boolean {
  return (
    memory.first !== undefined &&
    groupOf(copy, "pattern") === groupOf(original, "pattern") &&
    compareNames(basename(copy), basename(original)) < 0
  );
}

function stemOf(path: string): string {
  return isCompressed(path) ? path.slice(0, -3) : path;
}
