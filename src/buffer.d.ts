/** Methods of Node's Buffer that its types leave out: each skips the dispatch on an encoding's name. */
export {};

declare global {
  interface Buffer {
    latin1Slice(start?: number, end?: number): string;
    hexSlice(start?: number, end?: number): string;
    base64Slice(start?: number, end?: number): string;
    utf8Write(text: string, offset?: number, length?: number): number;
    hexWrite(text: string, offset?: number, length?: number): number;
  }
}
