/* Whole numbers as `packed` of `cmcsl_lib/book/embedding.py` writes them: a zlib stream in base64, higher bytes first. */
"use strict";
window.cmcslPacking = (() => {
  /** @param {string} text
   * @returns {Promise<Uint16Array>} */
  async function unpacked(text) {
    const stream = new Blob([Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))]).stream();
    const bytes = new Uint8Array(await new Response(stream.pipeThrough(new DecompressionStream("deflate"))).arrayBuffer());
    const length = bytes.length / 2;
    return Uint16Array.from({ length }, (_, i) => 256 * bytes[i] + bytes[length + i]);
  }

  /** Numbers of which the differences are written.
   * @returns {Promise<Uint16Array>} */
  async function summed(text) {
    const numbers = await unpacked(text);
    // An array of 16 bits drops what is beyond 65535, as the differences do.
    for (let i = 1; i < numbers.length; i += 1) numbers[i] += numbers[i - 1];
    return numbers;
  }

  return { unpacked, summed };
})();
