// kafkajs brings gzip and takes other codecs from whoever has them: these are scripts, so nothing is compiled.
'use strict'

const { CompressionCodecs, CompressionTypes } = require('kafkajs')
const snappy = require('kafkajs-snappy')
const lz4 = require('lz4js')
const { ZstdCodec } = require('zstd-codec')

const byName = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
}

function codec(compress, decompress) {
  return () => ({
    compress: async encoder => Buffer.from(compress(encoder.buffer)),
    decompress: async buffer => Buffer.from(decompress(buffer)),
  })
}

async function register() {
  const zstd = await new Promise(resolve => ZstdCodec.run(binding => resolve(new binding.Streaming())))
  CompressionCodecs[CompressionTypes.Snappy] = snappy
  CompressionCodecs[CompressionTypes.LZ4] = codec(lz4.compress, lz4.decompress)
  CompressionCodecs[CompressionTypes.ZSTD] = codec(data => zstd.compress(data), data => zstd.decompress(data))
}

module.exports = { byName, register }
