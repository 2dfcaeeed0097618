// Refuses clients that are listed: `blocked` is shared by all requests, by network and length.
const lengths = blocked.lengths;
const networks = blocked.networks;

function isBlocked(request) {
    const parts = request.variables.remote_addr.split('.');
    if (parts.length != 4) {
        return '';
    }
    const number = ((parts[0] << 24) | (parts[1] << 16) | (parts[2] << 8) | parts[3]) >>> 0;
    for (let index = 0; index < lengths.length; index++) {
        const size = Math.pow(2, 32 - lengths[index]);
        if (networks[(number - number % size) + '/' + lengths[index]]) {
            return '1';
        }
    }
    return '';
}

export default {isBlocked};
