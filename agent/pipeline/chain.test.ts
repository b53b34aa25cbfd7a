import { describe, expect, it } from "vitest";
import { batchOf, linesOf } from "../../test/fakes/batch.ts";
import type { RecordBatch } from "../api/batch.ts";
import type { AgentEvent } from "../api/events.ts";
import type { Filter } from "../api/filter.ts";
import { FilterChain } from "./chain.ts";

/** Keeps records that contain a text. */
const keeping = (text: string): Filter => ({
  process(batch) {
    const keep = Uint32Array.from([...Array(batch.count).keys()].filter((i) => batch.bytes(i).includes(text)));
    return batch.select(keep, keep.length);
  },
});

const all = () => true;

function chainOf(...filters: Filter[]): { chain: FilterChain; events: AgentEvent[] } {
  const events: AgentEvent[] = [];
  const links = filters.map((filter, i) => ({ alias: `f${i}`, matches: all, filter }));
  return { chain: new FilterChain(links, (event) => void events.push(event)), events };
}

describe("FilterChain", () => {
  it("counts what each filter dropped, and keeps the position of a batch of which nothing is left", () => {
    const { chain, events } = chainOf(keeping("a"), keeping("b"));
    const positions = [{ key: "k", value: "v" }];
    const [only] = chain.process(batchOf(["a", "b", "c"], { positions }));
    expect(only?.batch.count).toBe(0);
    expect(only?.batch.positions).toEqual(positions);
    expect(only?.extra).toMatchObject({ read: 3, created: 0, filtered: 3 });
    expect(events).toEqual([
      { is: "filtered", filter: "f0", records: 2 },
      { is: "filtered", filter: "f1", records: 1 },
    ]);
  });

  it("sends created records through the filters after their maker, ahead of the batch", () => {
    const alarm: Filter = {
      process(batch: RecordBatch, emit) {
        emit(batchOf(["alarm keep", "alarm"], { kind: "broken" }));
        return batch;
      },
    };
    const { chain } = chainOf(keeping("keep"), alarm, keeping("keep"));
    const out = chain.process(batchOf(["one keep", "two"]));
    expect(out.map(({ batch }) => linesOf([batch]))).toEqual([["alarm keep"], ["one keep"]]);
    expect(out[0]?.extra).toMatchObject({ read: 0, created: 2, filtered: 1 });
    expect(out[1]?.extra).toMatchObject({ read: 2, created: 0, filtered: 1 });
    expect(out[0]?.batch.id(0)).toMatch(/-0-broken$/);
  });

  it("passes by filters that do not match the tag", () => {
    const chain = new FilterChain([{ alias: "f", matches: (tag) => tag === "other", filter: keeping("x") }], () => {});
    expect(chain.process(batchOf(["a"]))[0]?.batch.count).toBe(1);
  });

  it("stores the state of the batch's group, only where it changed", () => {
    let seen = 0;
    const counting: Filter = {
      process(batch) {
        seen += batch.count;
        return batch;
      },
      state: (group) => (seen > 1 ? Buffer.from(`${group}=${seen}`) : undefined),
    };
    const { chain } = chainOf(counting);
    expect(chain.process(batchOf(["a"]))[0]?.extra.states).toEqual([]);
    const batch = batchOf(["b"]);
    const [second] = chain.process(batch);
    expect(second?.extra.states).toEqual([
      { filter: "f0", group: batch.source.group, state: Buffer.from(`${batch.source.group}=2`) },
    ]);
  });

  it("lets filters speak while nothing flows", () => {
    const { chain } = chainOf({ process: (batch) => batch, tick: (_now, emit) => emit(batchOf(["verified so far"])) });
    expect(linesOf(chain.tick(0).map(({ batch }) => batch))).toEqual(["verified so far"]);
  });

  it("stores the state of what a filter tells in a tick in the same block, and of what it tells of a batch in the batch's", () => {
    let told = 0;
    const telling: Filter = {
      process(batch, emit) {
        emit(batchOf(["seen"], { kind: "seen" }));
        return batch;
      },
      tick(_now, emit) {
        for (let i = 0; i < 2; i++) {
          told++;
          emit(batchOf(["told"], { kind: "told" }));
        }
      },
      state: () => Buffer.from(`told ${told}`),
    };
    const { chain } = chainOf(telling);
    const states = ({ extra }: { extra: { states: readonly { state: Uint8Array }[] } }) =>
      extra.states.map(({ state }) => Buffer.from(state).toString());
    expect(chain.process(batchOf(["a"])).map(states)).toEqual([[], ["told 0"]]);
    expect(chain.tick(0).map(states)).toEqual([["told 1"], ["told 2"]]);
  });

  it("asks every filter whether an input may be read", () => {
    const { chain } = chainOf(
      { process: (batch) => batch },
      { process: (batch) => batch, holds: (input) => (input === "tail" ? "broken" : undefined) },
    );
    expect(chain.holds("tail")).toBe("broken");
    expect(chain.holds("stdin")).toBeUndefined();
  });
});
