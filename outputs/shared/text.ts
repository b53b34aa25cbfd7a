/** Original bytes as a text, for destinations that take nothing else. */
import { isUtf8 } from "node:buffer";

/** What is not UTF-8 cannot be a text: beside what is left of it, its bytes. */
export function textOf(bytes: Buffer): string | { message: string; message_base64: string } {
  const message = bytes.toString("utf8");
  return isUtf8(bytes) ? message : { message, message_base64: bytes.toString("base64") };
}
