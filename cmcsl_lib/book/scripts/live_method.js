/* Algorithm 1 in JavaScript, number for number as `cmcsl_lib/method` has it: one function per method of the paper's
   pseudocode, and the calibrated exchange. Rows are items; matrices are arrays of doubles, row after row. */
"use strict";
window.cmcslMethod = (() => {
  const GAPS = 4;
  const TEMPERATURES = Array.from({ length: 27 }, (_, i) => 2 ** (-5 + i / 2));
  const SEED_WEIGHT = 2;
  const JUDGED = 500;
  const ROUNDS = 2;

  /**
   * @typedef {{values: Float64Array, rows: number, columns: number}} Matrix
   * @typedef {{seed: Int32Array, distance: Float64Array}} Clusters  place among the seeds, and distance to it, by row
   */

  // Matrices -------------------------------------------------------------------------------------------------------

  const bytes = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));

  /** A matrix from one byte per value, with the lowest value and the step of each column.
   * @returns {Matrix} */
  function decoded({ values, low, step, rows, columns }) {
    const codes = bytes(values);
    const [lows, steps] = [low, step].map((each) => new Float32Array(bytes(each).buffer));
    return { values: Float64Array.from(codes, (code, i) => lows[i % columns] + steps[i % columns] * code), rows, columns };
  }

  /** PREPROCESS: `RAW`, `L2` (rows of length 1), `STD` (columns of mean 0 and deviation 1) or `L2STD`, both.
   * @returns {Matrix} */
  function preprocessed(matrix, name) {
    const Z = { ...matrix, values: matrix.values.slice() };
    if (name.startsWith("L2")) scaleRows(Z);
    if (name.endsWith("STD")) standardise(Z);
    return Z;
  }

  function scaleRows({ values, rows, columns }) {
    for (let i = 0; i < rows; i += 1) {
      const row = values.subarray(i * columns, (i + 1) * columns);
      const length = Math.sqrt(row.reduce((sum, value) => sum + value * value, 0)) || 1;
      for (let j = 0; j < columns; j += 1) row[j] /= length;
    }
  }

  function standardise({ values, rows, columns }) {
    for (let j = 0; j < columns; j += 1) {
      let mean = 0;
      for (let i = j; i < values.length; i += columns) mean += values[i];
      mean /= rows;
      let variance = 0;
      for (let i = j; i < values.length; i += columns) variance += (values[i] - mean) ** 2;
      variance /= rows;
      // As scikit-learn: what varies by no more than rounding is constant, and is not blown up.
      const rounding = rows * Number.EPSILON * variance + (rows * mean * Number.EPSILON) ** 2;
      const deviation = variance <= rounding ? 1 : Math.sqrt(variance);
      for (let i = j; i < values.length; i += columns) values[i] = (values[i] - mean) / deviation;
    }
  }

  /** Distances from every row to one row, calculated when they are first asked for.
   * @param {Matrix} matrix
   * @returns {(row: number) => Float64Array} */
  function distancesOf({ values, rows, columns }) {
    const known = new Map();
    return (row) => {
      if (!known.has(row)) {
        const distances = new Float64Array(rows);
        const to = row * columns;
        for (let i = 0; i < rows; i += 1) {
          let sum = 0;
          for (let j = 0, from = i * columns; j < columns; j += 1) {
            const difference = values[from + j] - values[to + j];
            sum += difference * difference;
          }
          distances[i] = Math.sqrt(sum);
        }
        known.set(row, distances);
      }
      return known.get(row);
    };
  }

  // Algorithm 1 ----------------------------------------------------------------------------------------------------

  /** Random numbers in [0, 1) that a whole number repeats: the generator mulberry32. */
  function generator(number) {
    let state = number >>> 0;
    return () => {
      state = (state + 0x6d2b79f5) >>> 0;
      let mixed = Math.imul(state ^ (state >>> 15), state | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    };
  }

  /** LABELING: `budget` rows of each class, class by class. Seeds of a budget are among those of every larger one. */
  function labeling(y, classes, budget, random) {
    return Array.from({ length: classes }, (_, label) => {
      const members = [...y.keys()].filter((row) => y[row] === label);
      for (let i = members.length - 1; i > 0; i -= 1) {
        const j = Math.floor(random() * (i + 1));
        [members[i], members[j]] = [members[j], members[i]];
      }
      return members.slice(0, budget);
    }).flat();
  }

  /** CLUSTERING: each row joins its nearest seed; a tie goes to the seed that stands first, and a seed to itself.
   * @returns {Clusters} */
  function clustering(distances, seeds, rows) {
    const seed = new Int32Array(rows);
    const distance = new Float64Array(rows).fill(Infinity);
    seeds.forEach((row, number) => distances(row).forEach((away, i) => {
      if (away < distance[i]) [distance[i], seed[i]] = [away, number];
    }));
    seeds.forEach((row, number) => { [distance[row], seed[row]] = [0, number]; });
    return { seed, distance };
  }

  /** PROPAGATE: each row takes the class of its cluster's seed. */
  const propagate = (clusters, seeds, y) => Array.from(clusters.seed, (number) => y[seeds[number]]);

  /** NEAREST: of two labels the one with the smaller distance; a tie goes to the modality that stands first. */
  function nearest(labels, distances) {
    const modality = labels[0].map((_, i) => (distances[1][i] < distances[0][i] ? 1 : 0));
    return { label: modality.map((which, i) => labels[which][i]), modality };
  }

  // The calibrated exchange (method/calibrated.py) -----------------------------------------------------------------

  /** Logarithms of probabilities from logarithms up to a constant. */
  function normalised(scores) {
    const highest = Math.max(...scores);
    const total = Math.log(scores.reduce((sum, score) => sum + Math.exp(score - highest), 0));
    return scores.map((score) => score - highest - total);
  }

  /** Median difference of the squared distances to the two nearest classes; the mean if it is 0. */
  function medianGap(squared) {
    if (!squared.length) return 1;
    const gaps = squared.map((row) => { const [one, two] = row.toSorted((a, b) => a - b); return two - one; });
    gaps.sort((a, b) => a - b);
    const half = gaps.length >> 1;
    const median = gaps.length % 2 ? gaps[half] : (gaps[half - 1] + gaps[half]) / 2;
    return median || gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
  }

  /** Temperature at which seeds, each judged by the others, are likely to be what they are.
   * @param {(t: number) => number[][]} scores  evidence on the judged seeds
   * @param {number[]} own  their classes */
  function temperature(unit, scores, own) {
    let [best, highest] = [0, -Infinity];
    for (const factor of TEMPERATURES) {
      const judged = own.length ? scores(unit * factor) : [];
      const likelihood = judged.reduce((sum, row, i) => sum + normalised(row)[own[i]], 0);
      const score = likelihood - Math.log(factor / GAPS) ** 2 / 2;
      if (score > highest) [best, highest] = [unit * factor, score];
    }
    return best;
  }

  /** Logarithm of the mean of exp(-squared / t). */
  function logMean(squared, t) {
    const scores = squared.map((value) => value / -t);
    const highest = Math.max(...scores);
    return Math.log(scores.reduce((sum, score) => sum + Math.exp(score - highest), 0)) + highest - Math.log(scores.length);
  }

  /** Evidence S: Gaussians around the seeds. Null where it says nothing. */
  function seedEvidence(distances, codes, groups) {
    const toSeed = (row, seed) => distances(seed)[row] ** 2;
    const all = [...codes.keys()];
    const closest = all.map((row) => groups.map((seeds) => Math.min(...seeds.map((seed) => toSeed(row, seed)))));
    const unit = medianGap(closest.filter((_, row) => codes[row] < 0));
    if (unit === 0) return null;
    let judged = groups.filter((seeds) => seeds.length > 1).flat();
    const every = Math.max(1, Math.floor(judged.length / JUDGED));
    judged = judged.filter((_, i) => i % every === 0);
    const among = judged.map((row) => groups.map((seeds) => seeds.filter((seed) => seed !== row).map((seed) => toSeed(row, seed))));
    const t = temperature(unit, (each) => among.map((row) => row.map((squared) => logMean(squared, each))),
                          judged.map((row) => codes[row]));
    return all.map((row) => normalised(groups.map((seeds) => logMean(seeds.map((seed) => toSeed(row, seed)), t))));
  }

  /** Evidence C: Gaussians around the classes' centres, of rows that belong to classes by weights. */
  function centreEvidence({ values, rows, columns }, codes, weights) {
    const classes = weights[0].length;
    const totals = new Float64Array(classes);
    const centres = new Float64Array(classes * columns);
    for (let i = 0; i < rows; i += 1) {
      for (let c = 0; c < classes; c += 1) {
        const weight = weights[i][c];
        totals[c] += weight;
        for (let j = 0; j < columns; j += 1) centres[c * columns + j] += weight * values[i * columns + j];
      }
    }
    for (let at = 0; at < centres.length; at += 1) centres[at] /= totals[Math.floor(at / columns)];
    const squared = Array.from({ length: rows }, (_, i) => Array.from({ length: classes }, (__, c) => {
      let sum = 0;
      for (let j = 0; j < columns; j += 1) sum += (values[i * columns + j] - centres[c * columns + j]) ** 2;
      return sum;
    }));
    const unit = medianGap(squared.filter((_, row) => codes[row] < 0));
    if (unit === 0) return null;
    // Each seed is judged by centres without itself.
    const rest = (row) => totals[codes[row]] - weights[row][codes[row]];
    const judged = [...codes.keys()].filter((row) => codes[row] >= 0 && rest(row) > 0);
    const own = judged.map((row) => codes[row]);
    const leftOut = judged.map((row, i) => squared[row].map(
      (value, c) => (c === own[i] ? value * (totals[c] / rest(row)) ** 2 : value)));
    const t = temperature(unit, (each) => leftOut.map((row) => row.map((value) => -value / each)), own);
    return squared.map((row) => normalised(row.map((value) => -value / t)));
  }

  /** Probabilities of the classes by modalities that are independent given the class. */
  function posterior(evidence, codes, classes) {
    const said = evidence.filter(Boolean);
    return Array.from(codes, (code, row) => Array.from({ length: classes }, (_, c) => c)
      .map((c) => said.reduce((sum, table) => sum + table[row][c], 0)))
      .map((scores, row) => (codes[row] < 0 ? normalised(scores).map(Math.exp)
        : scores.map((_, c) => (c === codes[row] ? 1 : 0))));
  }

  function averaged(first, second) {
    if (!first || !second) return first ?? second;
    return first.map((row, i) => normalised(row.map((value, c) => (value + second[i][c]) / 2)));
  }

  /** Labels by the evidence of all modalities, added up; `modality` finds the label most probable by itself.
   * @param {{matrix: Matrix, distances: (row: number) => Float64Array}[]} modalities
   * @param {number[]} seeds
   * @returns {{label: number[], modality: number[], posterior: number[][], evidence: (number[][] | null)[]}} */
  function calibrated(modalities, seeds, y, classes) {
    const codes = new Int32Array(y.length).fill(-1);
    for (const row of seeds) codes[row] = y[row];
    const groups = Array.from({ length: classes }, (_, c) => [...codes.keys()].filter((row) => codes[row] === c));
    const first = modalities.map(({ distances }) => seedEvidence(distances, codes, groups));
    let evidence = first;
    for (let round = 0; round < ROUNDS; round += 1) {
      const weights = posterior(evidence, codes, classes)
        .map((row, i) => row.map((value) => value * (codes[i] >= 0 ? SEED_WEIGHT : 1)));
      const again = modalities.map(({ matrix }) => centreEvidence(matrix, codes, weights));
      evidence = first.map((table, m) => averaged(table, again[m]));
    }
    const probabilities = posterior(evidence, codes, classes);
    const label = probabilities.map((row) => row.indexOf(Math.max(...row)));
    const modality = label.map((c, row) => {
      const [visual, text] = evidence.map((table) => (codes[row] >= 0 ? 0 : table ? table[row][c] : -Infinity));
      return text > visual ? 1 : 0;
    });
    return { label, modality, posterior: probabilities, evidence };
  }

  return { decoded, preprocessed, distancesOf, generator, labeling, clustering, propagate, nearest, calibrated };
})();
