// Reads the clock of clock.rs in the player, and keeps what it saw until it is taken.
const { cell, columns, timeBits } = arguments[0];
const video = document.querySelector('[data-test="player"]');
const canvas = new OffscreenCanvas(columns * cell, 2 * cell);
const context = canvas.getContext('2d', { willReadFrequently: true });
let looks = [];
let waits = 0;
// A minute of parts and playlists, and more.
performance.setResourceTimingBufferSize(10_000);

const read = () => {
    if (!video.videoWidth) return;
    const scale = video.videoWidth / canvas.width;
    context.drawImage(
        video, 0, 0, video.videoWidth, canvas.height * scale, 0, 0, canvas.width, canvas.height);
    const now = Date.now();
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    let bits = 0n;
    for (let row = 0; row < 2; row += 1) {
        for (let column = 0; column < columns; column += 1) {
            const x = column * cell + cell / 2;
            const y = row * cell + cell / 2;
            const isWhite = data[4 * (y * canvas.width + x)] > 127;
            bits = (bits << 1n) | (isWhite ? 1n : 0n);
        }
    }
    const said = Number(bits >> 8n);
    const rotate = (byte, by) => ((byte << by) | (byte >> (8 - by))) & 0xff;
    const sum = (said >> 16) ^ rotate((said >> 8) & 0xff, 3) ^ rotate(said & 0xff, 5) ^ 0x5a;
    // A picture that is still being decoded, or no clock.
    if ((sum & 0xff) !== Number(bits & 0xffn)) return;
    const period = 2 ** timeBits;
    const late = ((now % period) - (said % period) + period) % period;
    looks.push({ at: now, publisher: Math.floor(said / period), delay: late / 1000 });
};

video.addEventListener('waiting', () => { waits += 1; });
setInterval(read, 100);
window.e2eClock = {
    take() {
        const taken = [looks, waits];
        looks = [];
        waits = 0;
        return taken;
    },
    requests() {
        const requests = performance.getEntriesByType('resource');
        return requests.filter(({ name }) => name.includes('/live/')).map((request) => {
            const start = Math.round(performance.timeOrigin + request.startTime);
            const name = request.name.split('/live/')[1];
            return `${start} ${Math.round(request.duration)} ms ${request.responseStatus} ${name}`;
        });
    },
};
